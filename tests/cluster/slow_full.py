#!/usr/bin/env python3
"""slow.py with a consumer that sleeps for a minute."""
import os
import sys

script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow.py")
os.execv(sys.executable, [sys.executable, script, "--full"])
