//! Lets system calls fail: seccomp(2).

/// A filter that lets all calls through but those in `refused`.
pub(crate) fn filter(refused: &[(libc::c_long, i32)]) -> Vec<libc::sock_filter> {
    let instruction = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let answer = |k| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, k);
    let number = instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0);
    let refusals = refused.iter().flat_map(|(call, errno)| {
        let compare = instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, *call as u32);
        [compare, answer(libc::SECCOMP_RET_ERRNO | *errno as u32)]
    });
    [number].into_iter().chain(refusals).chain([answer(libc::SECCOMP_RET_ALLOW)]).collect()
}

/// Puts `filter` on this process. Makes system calls only.
pub(crate) fn refuse(filter: &mut [libc::sock_filter]) {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program is valid and copied by the kernel.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program);
    }
}
