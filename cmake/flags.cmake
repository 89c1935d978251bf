# The target weir_flags: language, warnings, hardening and sanitizers, for all that
# is built here and nothing that is installed.

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_C_FLAGS_RELEASE "-O3 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(weir_flags INTERFACE)

target_compile_definitions(weir_flags INTERFACE _GNU_SOURCE
  $<$<BOOL:${WEIR_DEBUG}>:WEIR_DEBUG>)

# No -Wpedantic: rows of no fields and arithmetic on void * are GNU C, and wanted.
target_compile_options(weir_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wundef -Wwrite-strings -Wvla -Wimplicit-fallthrough
  -Wformat=2 -Wredundant-decls -Wdate-time
  $<$<C_COMPILER_ID:GNU>:-Wlogical-op;-Wduplicated-cond>
  $<$<BOOL:${WEIR_WERROR}>:-Werror>)

target_compile_options(weir_flags INTERFACE
  -fno-semantic-interposition
  -ffile-prefix-map=${PROJECT_BINARY_DIR}=. # no path of the build machine in what is built
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
  -fstack-protector-strong -fstack-clash-protection -fcf-protection)
target_link_options(weir_flags INTERFACE -Wl,-z,relro,-z,now -Wl,-z,noexecstack)

if(WEIR_SANITIZE)
  set(sanitize_flags "-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all")
  separate_arguments(sanitize UNIX_COMMAND "${sanitize_flags} -fno-omit-frame-pointer")
  target_compile_options(weir_flags INTERFACE ${sanitize})
  target_link_options(weir_flags INTERFACE ${sanitize})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(weir_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
