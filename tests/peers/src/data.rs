//! Data and checks that must be the same on both sides: the random numbers, the word hash, and
//! how per-worker sums fold into one number.

pub const SEED: u64 = 42;
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The splitmix64 output function, as a function of an index: any worker can make any part of
/// the data without making the part before it.
#[inline]
pub fn splitmix64(index: u64) -> u64 {
    let mut z = index.wrapping_mul(GOLDEN).wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[inline]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

/// Row i of a collection of pairs.
#[inline]
pub fn pair(i: u64) -> (u64, u64) {
    (splitmix64(SEED + 2 * i), splitmix64(SEED + 2 * i + 1))
}

/// The ends of edge i of a random graph.
#[inline]
pub fn edge(i: u64, nodes: u64) -> (u32, u32) {
    let (src, dst) = pair(i);
    ((src % nodes) as u32, (dst % nodes) as u32)
}

/// What a change of row (a, b) at epoch `time` adds to a collection's check, times its diff.
#[inline]
pub fn change_hash(a: u64, b: u64, time: u64) -> u64 {
    splitmix64(
        a.wrapping_mul(0xd6e8_feb8_6659_fd93)
            .wrapping_add(b.wrapping_mul(0xa076_1d64_78bd_642f))
            .wrapping_add(time.wrapping_mul(0xe703_7ed1_a0b4_28db)),
    )
}

/// A worker's part of an order-independent check. The weight depends on the worker, so a row
/// that was counted by the wrong one changes the total.
pub fn check_part(worker: usize, sum: u64, rows: u64) -> u64 {
    (2 * worker as u64 + 1).wrapping_mul(sum.wrapping_add(rows.wrapping_mul(GOLDEN)))
}

/// Folds several totals into one, where their order matters.
pub fn check_fold(parts: &[u64]) -> u64 {
    parts.iter().fold(SEED, |check, &part| splitmix64(check ^ part))
}
