//! Does the oracle itself say what it should, about frames that etherparse builds?
