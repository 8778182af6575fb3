//! The story of the 2007 patch "Destroy pid namespace on init's death", from the first clone to the last wait.
//!
//! A container-init with threads: its leader exits first and a living thread takes over; orphans come to it; there is
//! a nested namespace; then the last thread exits. Everything in the container is killed and reaped before anybody
//! learns of init's death, and nothing outside is touched.

use pidns_core::*;

#[test]
fn destroy_pid_namespace_on_inits_death() {
    let mut world = Inline::new();
    let mut set: TaskSet = TaskSet::new(Config::default()).unwrap();
    let host_init = set.boot((), ()).unwrap();
    let clone = |set: &mut TaskSet, world: &mut Inline, from, args| {
        set.clone_task(from, &args, &Root, || (), (), world).unwrap()
    };

    // On the host: a container manager, and a bystander in its process group.
    let manager = clone(&mut set, &mut world, host_init, CloneArgs::fork());
    let bystander = clone(&mut set, &mut world, host_init, CloneArgs::fork());

    // The container: init is number 1 inside and has two more threads.
    let init = clone(&mut set, &mut world, manager, CloneArgs::new_pid_ns());
    let container = set.ns_of(init).unwrap();
    assert_eq!(set.getpid(init), Ok(Pid::INIT));
    let first_thread = clone(&mut set, &mut world, init, CloneArgs::thread());
    let last_thread = clone(&mut set, &mut world, init, CloneArgs::thread());

    // A daemon, a worker of it, and a shell that has a container of its own with two processes.
    let daemon = clone(&mut set, &mut world, init, CloneArgs::fork());
    let worker = clone(&mut set, &mut world, daemon, CloneArgs::fork());
    let shell = clone(&mut set, &mut world, first_thread, CloneArgs::fork());
    let nested_init = clone(&mut set, &mut world, shell, CloneArgs::new_pid_ns());
    let nested_member = clone(&mut set, &mut world, nested_init, CloneArgs::fork());
    let members = [daemon, worker, shell, nested_init, nested_member];
    assert_eq!(set.ns_pid_count(container), Ok(8), "three threads of init, five members");

    // The leader of init exits: the container lives on, and nobody outside is told.
    assert_eq!(set.exit(init, ExitStatus::exited(1), &mut world), Ok(ExitOutcome::Zombie));
    let nohang = WaitOptions::EXITED | WaitOptions::NOHANG;
    assert_eq!(set.wait(manager, WaitTarget::Any, nohang, &mut world), Ok(WaitOutcome::Nothing));
    assert!(members.iter().all(|&member| set.state(member) == Ok(TaskState::Live)));

    // The daemon ends; its worker comes to what is left of init, under number 1.
    set.exit(daemon, ExitStatus::exited(0), &mut world).unwrap();
    assert_eq!(set.getppid(worker), Ok(Some(Pid::INIT)));
    assert!(set.is_zombie(set.group(daemon).unwrap()).unwrap(), "init has not reaped it yet");

    // Nobody inside can kill init, not even with SIGKILL.
    assert_eq!(set.kill(worker, 1, Signal::KILL.raw(), &Root, &mut world), Ok(()));
    world.settle(&mut set);
    assert_eq!(set.state(last_thread), Ok(TaskState::Live));

    // One thread goes, then the last one. Now the container ends.
    set.exit(first_thread, ExitStatus::exited(2), &mut world).unwrap();
    assert!(set.state(shell).is_ok());
    world.clear();
    assert_eq!(
        set.exit(last_thread, ExitStatus::exited(42), &mut world),
        Ok(ExitOutcome::AwaitZap)
    );

    // No process can be made in it any more, and every member is being killed.
    assert_eq!(set.ns_state(container), Some(NsState::Zapping(ZapStep::ReapOwn)));
    set.setns(manager, container, &Root, &mut world).unwrap();
    let into_it = set.clone_task(manager, &CloneArgs::fork(), &Root, || (), (), &mut world);
    assert_eq!(into_it, Err(Errno::ENOMEM));
    assert!(
        [worker, shell, nested_init, nested_member].iter().all(|&member| set.is_killed(member))
    );

    // Init's own thread sleeps; its death is not known while a member is left.
    assert_eq!(set.wait(manager, WaitTarget::Any, nohang, &mut world), Ok(WaitOutcome::Nothing));
    world.settle(&mut set);
    set.check_invariants().unwrap();

    // All of them are dead and reaped; only then is init a zombie, with the status of its last thread.
    assert!(members.iter().all(|&member| set.state(member) == Err(Errno::ESRCH)));
    assert_eq!(set.ns_state(container), Some(NsState::Dead));
    assert_eq!(set.ns_pid_count(container), Ok(1), "init's own number");
    let position = |wanted: &Effect| world.log.iter().position(|effect| effect == wanted).unwrap();
    let release = position(&Effect::Zap { ns: container, step: ZapStep::Release });
    for member in [worker, shell, nested_init, nested_member] {
        assert!(position(&Effect::TaskReleased { task: member, payload: () }) < release);
    }
    let WaitOutcome::Ready(report) =
        set.wait(manager, WaitTarget::Any, nohang, &mut world).unwrap()
    else {
        panic!("init is a zombie");
    };
    assert_eq!((report.pid, report.status.code()), (Pid::from_raw(4), Some(42)));

    // Outside nothing has changed.
    assert_eq!(set.state(bystander), Ok(TaskState::Live));
    assert_eq!(set.state(manager), Ok(TaskState::Live));
    set.check_invariants().unwrap();
}

/// The same on the root namespace is the end of the machine: the patch's panic.
#[test]
fn the_death_of_the_root_init_is_a_panic() {
    let mut effects = Vec::new();
    let mut set: TaskSet = TaskSet::new(Config::default()).unwrap();
    let init = set.boot((), ()).unwrap();
    assert_eq!(set.exit(init, ExitStatus::exited(3), &mut effects), Ok(ExitOutcome::Panicked));
    assert_eq!(effects, [Effect::Panic { status: ExitStatus::exited(3) }]);
}
