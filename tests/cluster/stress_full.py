#!/usr/bin/env python3
"""stress.py for three minutes."""
import os
import sys

script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stress.py")
os.execv(sys.executable, [sys.executable, script, "180", *sys.argv[1:]])
