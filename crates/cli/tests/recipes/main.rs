//! The recipes of `docs/recipes.md`, played for real with the tools that they are for.
//!
//! A module per tool. [`docs`] holds the page and the files together; [`support`] has the programs, the scratch
//! directories, and the daemon that every recipe has to get rid of. What is not installed is skipped with a reason.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "what is not as it should be fails the test")]

mod cargo;
mod cron;
mod docs;
mod github;
mod make;
mod node;
mod podman;
mod python;
mod shell;
mod slurm;
mod support;
mod systemd;
