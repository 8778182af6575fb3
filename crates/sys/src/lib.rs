//! Thin, safe wrappers of Linux system calls.
