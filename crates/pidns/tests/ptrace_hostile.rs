//! Programs that try to get out of a namespace of the ptrace engine, or to get around its tracer.
#![cfg(target_arch = "x86_64")]

#[path = "ptrace_support/mod.rs"]
mod support;

use pidns_testkit::place;
use support::{Outsider, inside, marked_sleep, output_of, survivors};

/// What a Python program inside writes that makes system calls by their numbers; `None` where there is no Python.
fn python(script: &str) -> Option<String> {
    let prelude = "import ctypes, os, signal, sys, errno\n\
                   libc = ctypes.CDLL(None, use_errno=True)\n\
                   def call(*args):\n\
                   \x20   r = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])\n\
                   \x20   return r if r >= 0 else -ctypes.get_errno()\n";
    support::python(&format!("{prelude}{script}"))
}

#[test]
fn a_signal_to_an_outside_number_finds_nobody() {
    let mut outsider = Outsider::new();
    let script = format!(
        "n={}; test $n -gt 400 || exit 0; kill -9 $n 2>&1; kill -0 $n && echo reached; kill -9 -$n; echo end",
        outsider.pid()
    );
    assert!(!output_of(&script).contains("reached"));
    assert!(outsider.lives());
}

#[test]
fn a_storm_of_signals_to_all_numbers_hits_nobody_outside() {
    let mut outsider = Outsider::new();
    let script = "for n in range(1, 40000):\n\
                  \x20 if n != os.getpid():\n\
                  \x20   for s in (signal.SIGSTOP, signal.SIGKILL):\n\
                  \x20     try: os.kill(n, s)\n\
                  \x20     except OSError: pass\n\
                  for args in ((-1, 19), (-1, 9), (0, 18)):\n\
                  \x20 try: os.kill(*args)\n\
                  \x20 except OSError: pass\n\
                  print('end')";
    let Some(shown) = python(script) else { return };
    assert_eq!(shown, "end\n");
    assert!(outsider.lives() && !outsider.is_stopped());
}

#[test]
fn kill_0_reaches_the_inside_of_the_callers_group_only() {
    // The test itself is in that group.
    assert_eq!(output_of("trap 'echo got' TERM; kill -TERM 0; echo end"), "got\nend\n");
}

#[test]
fn programs_inside_cannot_trace() {
    let script = "print(call(101, 0, 0, 0, 0))\n\
                  pid = os.fork()\n\
                  if pid == 0: signal.pause()\n\
                  print(call(101, 16, pid, 0, 0), call(101, 0x4206, pid, 0, 0))\n\
                  os.kill(pid, 9); os.wait()";
    let Some(shown) = python(script) else { return };
    assert_eq!(shown, "-1\n-1 -1\n");
}

#[test]
fn other_entries_of_the_kernel_are_refused() {
    // getpid by its x32 number.
    let Some(shown) = python("print(call(0x40000000 | 39))") else { return };
    assert_eq!(shown, "-38\n");
}

#[test]
fn the_32_bit_entry_of_the_kernel_kills() {
    // mov eax, 20 (getpid of i386); int 0x80; ret
    let script = "import mmap\n\
                  m = mmap.mmap(-1, 4096, prot=7)\n\
                  m.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))\n\
                  f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\n\
                  pid = os.fork()\n\
                  if pid == 0:\n\
                  \x20 print(f(), flush=True); os._exit(0)\n\
                  print(os.waitstatus_to_exitcode(os.wait()[1]))";
    let Some(shown) = python(script) else { return };
    // SIGSYS by our filter; SIGSEGV by a kernel without that entry.
    assert!(["-31\n", "-11\n"].contains(&shown.as_str()), "{shown}");
}

#[test]
fn vfork_children_that_stay_and_threads_that_race_with_exec_leave_nothing() {
    let sleep = marked_sleep(51);
    let script = format!(
        "import threading, subprocess\n\
         # A vfork child that is killed, and one that becomes a program while others start.\n\
         for _ in range(20):\n\
         \x20 pid = os.fork()\n\
         \x20 if pid == 0:\n\
         \x20   def start():\n\
         \x20     for _ in range(5): subprocess.Popen('{sleep}'.split())\n\
         \x20   ts = [threading.Thread(target=start) for _ in range(4)]\n\
         \x20   [t.start() for t in ts]\n\
         \x20   os.execv('/bin/sh', ['sh', '-c', '{sleep} & exit'])\n\
         \x20 os.waitpid(pid, 0)\n\
         print('end')"
    );
    let Some(shown) = python(&script) else { return };
    assert_eq!(shown, "end\n");
    assert_eq!(survivors(&sleep), 0);
}

#[test]
fn a_clone_that_asks_not_to_be_traced_is_traced() {
    // CLONE_UNTRACED | SIGCHLD: the child would have the host's number.
    let script = "pid = call(56, 0x00800000 | 17, 0, 0, 0, 0)\n\
                  if pid == 0:\n\
                  \x20 print(call(39), flush=True); os._exit(0)\n\
                  os.waitpid(pid, 0); print(pid)";
    let Some(shown) = python(script) else { return };
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn ways_around_the_filter_are_refused() {
    // io_uring_setup; seccomp(SET_MODE_FILTER, NEW_LISTENER).
    let Some(shown) = python("print(call(425, 1, 0), call(317, 1, 8, 0))") else { return };
    assert_eq!(shown, "-38 -16\n");
}

#[test]
fn memory_and_descriptors_of_outside_processes_cannot_be_had() {
    let outsider = Outsider::new();
    let script = format!(
        "n = {}\n\
         for f in ('mem', 'environ', 'maps', 'root', 'fd', 'status'):\n\
         \x20 try: os.stat(f'/proc/{{n}}/{{f}}'); print(f)\n\
         \x20 except OSError: pass\n\
         print(call(434, n, 0) == -3 or n < 400)",
        outsider.pid()
    );
    let Some(shown) = python(&script) else { return };
    assert_eq!(shown, "True\n");
}

#[test]
fn a_fork_storm_loses() {
    let sleep = marked_sleep(50);
    // Chains that grow for longer than the command lives, but never fill the machine, whose limits do not bind root.
    let script = format!(
        "f() {{ [ $1 -lt 100 ] || return 0; {sleep} & (f $(($1+1)) &) ; }}; i=0; \
         while [ $i -lt 20 ]; do (f 0 &) ; i=$((i+1)); done; sleep 0.05"
    );
    inside(&script).status().unwrap();
    assert_eq!(survivors(&sleep), 0);
}

#[test]
fn sigsys_stays_the_programs_own_behind_a_container_s_filter() {
    let script = "seen = []\n\
                  signal.signal(signal.SIGSYS, lambda *a: seen.append(1))\n\
                  print(call(435, 0, 0), seen)\n\
                  os.kill(os.getpid(), signal.SIGSYS); print(seen)\n\
                  signal.pthread_sigmask(signal.SIG_SETMASK, set(range(1, 65)))\n\
                  call(435, 0, 0)\n\
                  print(signal.SIGSYS in signal.pthread_sigmask(signal.SIG_BLOCK, []))";
    let Some(shown) = place::behind_a_container_s_filter(|| python(script)) else { return };
    assert_eq!(shown, "-22 []\n[1]\nTrue\n");
}

#[test]
fn numbers_in_signals_are_the_namespaces() {
    let script = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGUSR1])\n\
                  pid = os.fork()\n\
                  if pid == 0:\n\
                  \x20 os.kill(os.getppid(), signal.SIGUSR1); os._exit(3)\n\
                  info = signal.sigwaitinfo([signal.SIGUSR1]); print(info.si_pid == pid)\n\
                  info = signal.sigwaitinfo([signal.SIGCHLD]); print(info.si_pid == pid, info.si_status)\n\
                  print(os.waitid(os.P_ALL, 0, os.WEXITED).si_pid == pid)";
    let Some(shown) = python(script) else { return };
    assert_eq!(shown, "True\nTrue 3\nTrue\n");
}

#[test]
fn numbers_read_from_a_signalfd_are_the_namespaces() {
    let script = "import struct\n\
                  signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGUSR1])\n\
                  mask = ctypes.c_ulong((1 << 16) | (1 << 9))\n\
                  fd = libc.syscall(ctypes.c_long(289), ctypes.c_long(-1), ctypes.byref(mask), ctypes.c_long(8), ctypes.c_long(0))\n\
                  pid = os.fork()\n\
                  if pid == 0:\n\
                  \x20 os.kill(os.getppid(), signal.SIGUSR1); os._exit(3)\n\
                  os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n\
                  for _ in range(2):\n\
                  \x20 n, e, c, p = struct.unpack('iiii', os.read(fd, 128)[:16]); print(n, e, c, p == pid)";
    let Some(shown) = python(script) else { return };
    assert_eq!(shown, "10 0 0 True\n17 0 1 True\n");
}

#[test]
fn numbers_that_come_with_messages_are_the_namespaces() {
    let script = "import socket, struct\n\
                  a, b = socket.socketpair()\n\
                  b.setsockopt(socket.SOL_SOCKET, 16, 1)\n\
                  pid = os.fork()\n\
                  if pid == 0:\n\
                  \x20 a.send(b'x'); os._exit(0)\n\
                  data, control, flags, _ = b.recvmsg(1, 64)\n\
                  print(struct.unpack('3i', control[0][2])[0] == pid); os.wait()";
    let Some(shown) = python(script) else { return };
    assert_eq!(shown, "True\n");
}

#[test]
fn numbers_in_cpu_clocks_are_the_namespaces() {
    let script = "import threading, time\n\
                  ready, done = threading.Event(), threading.Event()\n\
                  def work():\n\
                  \x20 end = time.thread_time() + 0.05\n\
                  \x20 while time.thread_time() < end: pass\n\
                  \x20 ready.set(); done.wait()\n\
                  t = threading.Thread(target=work); t.start(); ready.wait()\n\
                  print(time.clock_gettime(time.pthread_getcpuclockid(t.ident)) > 0.04); done.set(); t.join()";
    let Some(shown) = python(script) else { return };
    assert_eq!(shown, "True\n");
}

#[test]
fn numbers_at_the_other_end_of_a_socket_are_the_namespaces() {
    let script = "import socket, struct\n\
                  a, b = socket.socketpair()\n\
                  pid, uid, gid = struct.unpack('3i', a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))\n\
                  print(pid == os.getpid())";
    let Some(shown) = python(script) else { return };
    assert_eq!(shown, "True\n");
}

#[test]
fn all_the_same_where_namespaces_are_switched_off() {
    place::again_switched_off("all_the_same", &[]);
}

#[test]
fn all_the_same_behind_a_container_s_filter_without_privilege() {
    place::again_behind_a_container_s_filter("all_the_same", &[]);
}
