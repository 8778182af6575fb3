//! System V IPC: who used an object last. See shmctl(2), msgctl(2), semctl(2).

use pidns_sys::abi;

use super::call::{Entry, Handled, Outcome};
use super::task::{After, Meaning};
use super::tracer::Tracer;

/// Where the two numbers are in `struct shmid_ds`: `shm_cpid`, `shm_lpid`.
const SHM: u64 = 80;
/// Where the two numbers are in `struct msqid_ds`: `msg_lspid`, `msg_lrpid`.
const MSG: u64 = 104;

pub(super) fn enter(_: &mut Tracer, entry: &mut Entry) -> Handled {
    let at = entry.long(2);
    Ok(Outcome::Then(match entry.registers.call() {
        abi::SYS_shmctl => After::Words(at + SHM, 2),
        abi::SYS_msgctl => After::Words(at + MSG, 2),
        _ => After::Number(Meaning::Task),
    }))
}
