//! One script of system calls, several worlds.
//!
//! A *case* ([`script`]) tells named actors which calls to make. A [`world::World`] plays it: [`host`] with real processes,
//! [`sim`] with the model alone. [`play`] writes the transcript, which is compared with what the case states and with the
//! transcripts of other worlds. [`table`] sums up by row of the behaviour table, and [`differences`] has
//! those that are known of an engine; [`generate`] and [`shrink`] make scripts of
//! their own and cut those that part the worlds down to what matters, [`fuzz`] plays them. [`rules`] says where a rule is.
#![forbid(unsafe_code)]

pub mod answer;
pub mod cases;
pub mod cli;
pub mod dice;
pub mod differences;
pub mod fuzz;
pub mod generate;
pub mod host;
pub mod play;
pub mod rules;
pub mod script;
pub mod shrink;
pub mod sim;
pub mod stage;
pub mod table;
pub mod world;
