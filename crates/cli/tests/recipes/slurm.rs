//! Slurm: a cluster of one node on loopback, whose steps run by `srun pidns run`.
//!
//! The daemons have their configuration, keys and state in a scratch directory. They run by `pidns run`, under a shell
//! that ends when the test does, in whatever way: so nothing of the cluster outlives the test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::support::{
    Daemon, Ended, Limited, Scratch, command, file, find, is_root, pidns, poll, skip, text,
};

struct Cluster {
    /// Its standard input holds the cluster up.
    daemons: Child,
    scratch: Scratch,
}

/// Ends when its standard input does.
const DAEMONS: &str = "
munged --foreground --key-file=key --socket=$PWD/munge --pid-file=$PWD/munge.pid --seed-file=$PWD/seed &
slurmctld -D &
slurmd -D -N node &
read -r _ || exit 0
";

impl Cluster {
    /// Starts one that tracks processes by `proctrack`, or says why there is none.
    fn new(proctrack: &str) -> Result<Self, String> {
        if !is_root() {
            return Err("slurmd needs root".into());
        }
        for program in ["munged", "slurmctld", "slurmd", "srun", "sinfo", "sbatch", "scancel"] {
            find(program).ok_or_else(|| format!("{program} is not installed"))?;
        }
        let scratch = Scratch::new();
        scratch.write("slurm.conf", configuration(&scratch, proctrack));
        let key = scratch.write("key", fresh_key());
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o400)).unwrap();
        let log = std::fs::File::create(scratch.join("log")).unwrap();
        let daemons = slurm(&scratch, pidns().to_str().unwrap())
            .args(["run", "--", "sh", "-c", DAEMONS])
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut cluster = Self { daemons, scratch };
        cluster.wait_until_idle();
        Ok(cluster)
    }

    fn wait_until_idle(&mut self) {
        poll("the node is idle", || {
            let ended = self.daemons.try_wait().unwrap();
            let log = std::fs::read_to_string(self.scratch.join("log")).unwrap();
            assert!(ended.is_none(), "the cluster has ended: {log}");
            self.call("sinfo").args(["-h", "-o", "%T"]).end().stdout == "idle\n"
        });
    }

    fn call(&self, program: &str) -> Command {
        slurm(&self.scratch, program)
    }

    /// Runs a step that leaves `daemon` behind, by `guard`.
    fn step(&self, guard: &[&str], daemon: &Daemon) -> Ended {
        let mut srun = self.call("srun");
        srun.arg("--ntasks=1").args(guard).arg("sh").arg(file("leave-daemon.sh"));
        srun.arg(daemon.seconds()).end()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.daemons.stdin.take());
        // It may have ended before.
        let _ = self.daemons.wait();
    }
}

/// A command with the cluster's configuration, in its directory.
fn slurm(scratch: &Scratch, program: &str) -> Command {
    let mut slurm = command(program);
    slurm.env("SLURM_CONF", scratch.join("slurm.conf")).current_dir(scratch.path());
    slurm
}

fn configuration(scratch: &Scratch, proctrack: &str) -> String {
    let directory = scratch.path().display();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim().split('.').next().unwrap();
    // Both held at once, so that they differ.
    let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [controller, node] = ports.map(|port| port.local_addr().unwrap().port());
    format!(
        "ClusterName=recipe\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={controller}\nSlurmdPort={node}\n\
         SlurmUser=root\nAuthType=auth/munge\nCredType=cred/munge\nAuthInfo=socket={directory}/munge\n\
         StateSaveLocation={directory}/state\nSlurmdSpoolDir={directory}/spool\n\
         SlurmctldPidFile={directory}/slurmctld.pid\nSlurmdPidFile={directory}/slurmd.pid\n\
         ProctrackType={proctrack}\nTaskPlugin=task/none\nMpiDefault=none\nSwitchType=switch/none\n\
         SchedulerType=sched/builtin\nSelectType=select/linear\nAccountingStorageType=accounting_storage/none\n\
         JobAcctGatherType=jobacct_gather/none\nReturnToService=2\nKillWait=1\n\
         NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN\n\
         PartitionName=main Nodes=node Default=YES State=UP\n"
    )
}

fn fresh_key() -> Vec<u8> {
    use std::io::Read;
    let mut key = vec![0; 64];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut key).unwrap();
    key
}

macro_rules! cluster {
    ($proctrack:expr) => {
        match Cluster::new($proctrack) {
            Ok(cluster) => cluster,
            Err(why) => skip!("{why}"),
        }
    };
}

fn assert_only_pidns_ends_the_daemon(cluster: &Cluster) {
    let (plain, guarded) = (Daemon::new(), Daemon::new());
    let step = cluster.step(&[], &plain);
    assert_eq!(step.code(), Some(0), "{step:?}");
    plain.wait_until_up();

    let step = cluster.step(&["pidns", "run", "--leaks", "fail", "--"], &guarded);
    guarded.assert_gone();
    assert_eq!(step.code(), Some(123), "{step:?}");
    assert!(step.stderr.contains("1 process was left behind"), "{step:?}");
    cluster.call("sinfo").end().succeeded();
    assert!(plain.is_up(), "Slurm has come to know of it after all");
}

#[test]
fn a_daemon_that_is_lost_to_process_groups_ends_with_its_step() {
    assert_only_pidns_ends_the_daemon(&cluster!("proctrack/pgid"));
}

#[test]
fn a_daemon_that_is_lost_to_the_process_tree_ends_with_its_step() {
    assert_only_pidns_ends_the_daemon(&cluster!("proctrack/linuxproc"));
}

#[test]
fn a_batch_job_leaves_nothing() {
    let (cluster, daemon) = (cluster!("proctrack/pgid"), Daemon::new());
    let script = cluster.scratch.write("job.slurm", text("job.slurm"));
    let mut batch = cluster.call("sbatch");
    batch.env("LEAVE_DAEMON", file("leave-daemon.sh")).env("SECONDS_LEFT", daemon.seconds());
    batch.args(["--wait", "--output=out"]).arg(script).end().succeeded();
    daemon.assert_gone();
    let output = std::fs::read_to_string(cluster.scratch.join("out")).unwrap();
    assert!(output.contains("1 process was left behind"), "{output}");
}

#[test]
fn a_cancelled_job_leaves_nothing() {
    let (cluster, daemon) = (cluster!("proctrack/pgid"), Daemon::new());
    let deaf = "trap '' TERM; sh \"$0\" \"$1\"; while :; do sleep 1; done";
    let mut srun = cluster.call("srun");
    srun.args(["--job-name=deaf", "pidns", "run", "--", "sh", "-c", deaf]);
    srun.arg(file("leave-daemon.sh")).arg(daemon.seconds());
    let mut srun =
        srun.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    daemon.wait_until_up();
    cluster.call("scancel").arg("--name=deaf").end().succeeded();
    daemon.wait_until_gone();
    poll("srun has ended", || srun.try_wait().unwrap().is_some());
}
