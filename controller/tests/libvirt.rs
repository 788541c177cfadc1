//! Evacuations by `virsh`, which a script stands for: what is true is where the guests are, whatever the program says or does.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bellwether_controller::config::Config;
use bellwether_controller::engine::{Engine, system_clock};
use bellwether_controller::executor::{Executor, Failure, Found, Job, Libvirt, Move};
use bellwether_core::policy::What;
use tokio::sync::{mpsc, watch};

/// Each host is a folder with a file for each guest. A file `.COMMAND` in it is run first, and may end the program.
const VIRSH: &str = r#"#!/bin/sh
uri=$3; shift 3
host=${uri#test://}; host=${host%%/*}
command=$1; shift
cd "$(dirname "$0")/world" || exit 9
echo "$host $command $*" >>calls
env >environment
guest=
[ "$1" = --domain ] && guest=$2
target=
while [ $# -gt 0 ]; do
    case $1 in
    --domain) guest=$2 ;;
    --desturi) target=${2#test://}; target=${target%%/*} ;;
    esac
    shift
done
[ -f "$host/.$command" ] && . "./$host/.$command"
case $command in
list) ls "$host" ;;
dumpxml) cat "$host/$guest" ;;
nodeinfo) echo 'CPU(s):              8' ;;
nodememstats) echo 'total  :             16777216 KiB'; echo 'free   :             8388608 KiB' ;;
domstats) cat "$host"/* 2>/dev/null | sed -n "s/.*<name>\(.*\)<.name>.*/Domain: '\1'/p" ;;
domjobinfo) if [ -f "$host/.job-$guest" ]; then echo 'Job type: Unbounded'; else echo 'Job type: None'; fi ;;
domjobabort) kill "$(cat "$host/.job-$guest")" && rm "$host/.job-$guest" ;;
migrate) mv "$host/$guest" "$target/$guest" || { echo "error: failed to get domain '$guest'" >&2; exit 1; } ;;
*) exit 9 ;;
esac
"#;

/// A migration that a daemon carries out for 3 seconds, whatever becomes of the client, which does not end.
const DAEMON: &str = r#"
setsid sh -c "echo \$\$ >$host/.job-$guest; sleep 3; mv $host/$guest $target/$guest; rm $host/.job-$guest" &
sleep 600
"#;

struct World {
    folder: tempfile::TempDir,
    config: Config,
}

fn uuid(name: &str) -> String {
    let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("00000000-0000-0000-0000-{hex:0>12}")
}

fn job(host: &str) -> Job {
    let decision = format!(
        r#"{{"number":1,"time":1.0,"id":7,"host":"{host}","action":"evacuate","rule":"two_kinds","reasons":["r"]}}"#
    );
    Job {
        suggestion: 7,
        host: host.into(),
        decision: serde_json::from_str(&decision).unwrap(),
    }
}

fn never() -> watch::Receiver<bool> {
    watch::channel(false).1
}

impl World {
    /// Three hosts, without guests.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let virsh = folder.path().join("virsh");
        std::fs::write(&virsh, VIRSH).unwrap();
        std::fs::set_permissions(&virsh, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut config = Config::default();
        config.store.path = Some(folder.path().join("state.db"));
        config.executor.kind = "libvirt".into();
        let libvirt = &mut config.libvirt;
        libvirt.virsh = virsh.display().to_string();
        libvirt.uri = "test://{host}/x".into();
        libvirt.shared_paths = vec!["/shared".into()];
        libvirt.parallel = 1;
        libvirt.settle_sec = 2.0;
        libvirt.cordon_folder = Some(folder.path().to_owned());
        let world = Self { folder, config };
        for host in ["hv1", "hv2", "hv3"] {
            std::fs::create_dir_all(world.path(host)).unwrap();
        }
        world
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("world").join(name)
    }

    /// A guest on the first host.
    fn guest(&self, name: &str, memory_mib: u64, devices: &str) {
        let xml = format!(
            "<domain><name>{name}</name><uuid>{}</uuid><memory unit='MiB'>{memory_mib}</memory><vcpu>1</vcpu>\
             <devices>{devices}</devices></domain>\n",
            uuid(name)
        );
        std::fs::write(self.path("hv1").join(uuid(name)), xml).unwrap();
    }

    /// What a command does on a host, before what it does anyway.
    fn script(&self, host: &str, command: &str, script: &str) {
        std::fs::write(self.path(host).join(format!(".{command}")), script).unwrap();
    }

    fn is_on(&self, host: &str, guest: &str) -> bool {
        self.path(host).join(uuid(guest)).exists()
    }

    /// The calls of a command so far.
    fn calls(&self, command: &str) -> Vec<String> {
        let calls = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        let is_wanted = |call: &&str| call.split(' ').nth(1) == Some(command);
        calls.lines().filter(is_wanted).map(str::to_owned).collect()
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!(
            "after a minute, it is still not so; calls: {:?}",
            self.calls("migrate")
        );
    }

    /// An engine that knows the three hosts, and the executor.
    async fn start(&self) -> (Engine, Arc<Libvirt>) {
        let engine = Engine::start(&self.config, system_clock()).unwrap();
        let hosts = ["hv1", "hv2", "hv3"].map(|host| (host.to_owned(), BTreeMap::new()));
        let hosts = BTreeMap::from(hosts);
        engine.order(What::Topology { hosts }).await.unwrap();
        let libvirt = Libvirt::new(&self.config).unwrap();
        libvirt.attach(&engine);
        (engine, Arc::new(libvirt))
    }

    /// Evacuates the first host; also gives the steps.
    async fn evacuate(&self) -> (Result<String, String>, Vec<Move>) {
        let (engine, libvirt) = self.start().await;
        let (steps, mut taken) = mpsc::channel(1000);
        let result = libvirt.evacuate(&job("hv1"), steps, never()).await;
        engine.stop().await;
        let mut all = Vec::new();
        while let Some(step) = taken.recv().await {
            all.push(step);
        }
        (result.map_err(|Failure(why)| why), all)
    }
}

const SHARED: &str = "<disk type='file'><source file='/shared/a'/><target dev='vda'/></disk>";
const LOCAL: &str = "<disk type='file'><source file='/var/a'/><target dev='vda'/></disk>";

#[tokio::test(flavor = "multi_thread")]
async fn guests_are_moved_live_to_hosts_with_room_small_ones_first_and_never_by_post_copy() {
    let mut world = World::new();
    world.config.libvirt.first = vec!["vip".into()];
    world.config.libvirt.bandwidth_mib_s = 100;
    for (name, memory) in [("large", 900), ("small", 100), ("vip", 500)] {
        world.guest(name, memory, SHARED);
    }
    let (result, steps) = world.evacuate().await;
    let note = result.unwrap();
    assert!(note.starts_with("3 guests moved in"), "{note}");
    let order = steps.iter().filter_map(|step| match step {
        Move::Moved { guest } => Some(guest.as_str()),
        _ => None,
    });
    let order: Vec<&str> = order.collect();
    assert_eq!(order, ["vip", "small", "large"]);
    let target = |name| {
        if world.is_on("hv2", name) {
            "hv2"
        } else {
            "hv3"
        }
    };
    assert_eq!(
        world.calls("migrate")[0],
        format!(
            "hv1 migrate --live --p2p --persistent --undefinesource --auto-converge --bandwidth 100 --domain {} --desturi test://{}/x",
            uuid("vip"),
            target("vip")
        )
    );
    let environment = std::fs::read_to_string(world.path("environment")).unwrap();
    assert!(environment.contains("LC_ALL=C\n"), "{environment}");
    assert!(!environment.contains("CARGO"), "{environment}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_a_local_disk_stays_with_the_reason_and_the_others_move() {
    let world = World::new();
    world.guest("bound", 100, LOCAL);
    world.guest("free", 100, SHARED);
    let (result, steps) = world.evacuate().await;
    let why = result.unwrap_err();
    assert!(
        why.starts_with("1 guest moved; bound stays: its disk vda is /var/a"),
        "{why}"
    );
    assert!(world.is_on("hv1", "bound") && !world.is_on("hv1", "free"));
    assert!(
        steps
            .iter()
            .any(|step| matches!(step, Move::Stayed { guest, .. } if guest == "bound"))
    );
    assert!(
        !world
            .calls("migrate")
            .iter()
            .any(|call| call.contains("--unsafe"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_hosts_list_counts_and_not_the_exit_code() {
    let world = World::new();
    world.guest("lies", 100, SHARED);
    world.script("hv1", "migrate", "exit 0");
    let why = world.evacuate().await.0.unwrap_err();
    assert!(why.contains("0 guests moved; lies stays"), "{why}");
    let world = World::new();
    world.guest("moves", 100, SHARED);
    world.script(
        "hv1",
        "migrate",
        "mv $host/$guest $target/$guest; echo 'error: connection lost' >&2; exit 1",
    );
    let note = world.evacuate().await.0.unwrap();
    assert!(note.starts_with("1 guest moved"), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_refuses_a_guest_is_replaced_by_another() {
    let world = World::new();
    world.guest("vm", 100, SHARED);
    let full = "[ $target = hv2 ] && { echo 'error: internal error: cannot allocate memory' >&2; exit 1; }";
    world.script("hv1", "migrate", full);
    world.evacuate().await.0.unwrap();
    assert!(world.is_on("hv3", "vm"));
    assert_eq!(world.calls("migrate").len(), 2);
    // If every target is full, the reasons are there.
    let world = World::new();
    world.guest("vm", 100, SHARED);
    world.script(
        "hv1",
        "migrate",
        "echo 'error: cannot allocate memory' >&2; exit 1",
    );
    let why = world.evacuate().await.0.unwrap_err();
    assert!(
        why.contains("vm stays") && why.contains("cannot allocate memory"),
        "{why}"
    );
    // One that says itself that it has no memory is not even tried.
    let world = World::new();
    world.guest("vm", 7169, SHARED);
    let why = world.evacuate().await.0.unwrap_err();
    assert!(
        why.contains("hv2 has 7168 MiB of memory for guests free"),
        "{why}"
    );
    assert!(world.calls("migrate").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_on_both_hosts_or_on_none_is_named_and_left_alone() {
    let world = World::new();
    world.guest("twice", 100, SHARED);
    world.script("hv1", "migrate", "cp $host/$guest $target/$guest; exit 1");
    let why = world.evacuate().await.0.unwrap_err();
    assert!(
        why.contains("twice: hv1 and hv") && why.contains("both list it"),
        "{why}"
    );
    assert_eq!(world.calls("migrate").len(), 1);
    let world = World::new();
    world.guest("lost", 100, SHARED);
    world.script("hv1", "migrate", "rm $host/$guest; exit 1");
    let why = world.evacuate().await.0.unwrap_err();
    assert!(why.contains("lost: neither hv1 nor hv"), "{why}");
    // A guest that had ended before its turn is no failure.
    let world = World::new();
    world.guest("ended", 100, SHARED);
    world.script("hv1", "migrate", "rm $host/$guest");
    let note = world.evacuate().await.0.unwrap();
    assert!(note.starts_with("0 guests moved"), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_or_answers_garbage_or_without_end_is_a_failure_with_the_reason() {
    for (command, script, reason) in [
        ("list", "sleep 600", "was killed after 1 s"),
        ("list", "echo no uuid; exit 0", "cannot be read"),
        ("list", "yes | head -c 3000000; exit 0", "larger than"),
        (
            "list",
            "echo 'error: Cannot recv data' >&2; exit 1",
            "virsh list on hv1: Cannot recv data",
        ),
        (
            "dumpxml",
            "echo '<domain>'; exit 0",
            "its description cannot be used",
        ),
        ("dumpxml", "sleep 600", "was killed after 1 s"),
    ] {
        let mut world = World::new();
        world.config.libvirt.command_sec = 1.0;
        world.config.libvirt.output_kib = 64;
        world.guest("vm", 100, SHARED);
        world.script("hv1", command, script);
        let why = world.evacuate().await.0.unwrap_err();
        assert!(why.contains(reason), "{command} {script}: {why}");
        assert!(world.is_on("hv1", "vm"));
    }
    // A target of that kind is left out.
    let world = World::new();
    world.guest("vm", 100, SHARED);
    world.script("hv2", "nodememstats", "echo garbage; exit 0");
    world.evacuate().await.0.unwrap();
    assert!(world.is_on("hv3", "vm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_takes_too_long_is_aborted_and_its_guest_stays() {
    let mut world = World::new();
    world.config.libvirt.guest_sec = 1.0;
    world.guest("vm", 100, SHARED);
    world.script("hv1", "migrate", &DAEMON.replace("sleep 3", "sleep 600"));
    let why = world.evacuate().await.0.unwrap_err();
    assert!(
        why.contains("vm stays") && why.contains("was killed after 1 s"),
        "{why}"
    );
    assert!(world.is_on("hv1", "vm") && !world.calls("domjobabort").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_evacuation_aborts_what_moves_and_moves_back_what_has_moved() {
    let world = World::new();
    world.guest("a", 100, SHARED);
    world.guest("b", 200, SHARED);
    let slow = DAEMON.replace("sleep 3", "sleep 600");
    world.script(
        "hv1",
        "migrate",
        &format!("[ $guest = {} ] && {{ {slow} }}\n", uuid("b")),
    );
    let (engine, libvirt) = world.start().await;
    let job = job("hv1");
    libvirt.cordon(&job).await.unwrap();
    assert!(world.folder.path().join("hv1").exists());
    let (cancel, canceled) = watch::channel(false);
    let steps = mpsc::channel(1000).0;
    let evacuate = libvirt.evacuate(&job, steps, canceled);
    let is_under_way = |world: &World| {
        world
            .path("hv1")
            .join(format!(".job-{}", uuid("b")))
            .exists()
    };
    let (result, ()) = tokio::join!(evacuate, async {
        world.until(is_under_way).await;
        cancel.send(true).unwrap();
    });
    let why = result.unwrap_err().0;
    assert!(why.starts_with("canceled: 1 guest moved; b stays"), "{why}");
    assert!(!world.is_on("hv1", "a"));
    libvirt.undo(&job).await.unwrap();
    assert!(world.is_on("hv1", "a") && world.is_on("hv1", "b"));
    assert!(!world.folder.path().join("hv1").exists());
    // What is back is not moved back again.
    libvirt.undo(&job).await.unwrap();
    assert_eq!(world.calls("migrate").len(), 3);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_evacuation_that_failed_guests_stay_away_and_the_host_stays_cordoned() {
    let world = World::new();
    world.guest("free", 100, SHARED);
    world.guest("bound", 100, LOCAL);
    let (engine, libvirt) = world.start().await;
    let job = job("hv1");
    libvirt.cordon(&job).await.unwrap();
    let steps = mpsc::channel(1).0;
    libvirt.evacuate(&job, steps, never()).await.unwrap_err();
    libvirt.undo(&job).await.unwrap();
    assert!(!world.is_on("hv1", "free") && world.folder.path().join("hv1").exists());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_killed_in_the_middle_finds_out_what_happened_and_repeats_nothing() {
    let world = World::new();
    for (name, memory) in [("a", 100), ("b", 200), ("c", 300)] {
        world.guest(name, memory, SHARED);
    }
    world.script(
        "hv1",
        "migrate",
        &format!("[ $guest = {} ] && {{ {DAEMON} }}\n", uuid("b")),
    );
    let (engine, libvirt) = world.start().await;
    assert_eq!(libvirt.found(&job("hv1")).await.unwrap(), Found::NotBegun);
    let running = {
        let libvirt = Arc::clone(&libvirt);
        let steps = mpsc::channel(1000).0;
        tokio::spawn(async move { libvirt.evacuate(&job("hv1"), steps, never()).await })
    };
    world.until(|world| world.calls("migrate").len() == 2).await;
    world
        .until(|world| {
            world
                .path("hv1")
                .join(format!(".job-{}", uuid("b")))
                .exists()
        })
        .await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    engine.stop().await;
    drop(libvirt);

    let (engine, libvirt) = world.start().await;
    // The daemons went on without it.
    assert_eq!(libvirt.found(&job("hv1")).await.unwrap(), Found::NotBegun);
    assert!(!world.is_on("hv1", "b"));
    let steps = mpsc::channel(1000).0;
    let note = libvirt.evacuate(&job("hv1"), steps, never()).await.unwrap();
    assert!(note.starts_with("3 guests moved"), "{note}");
    assert_eq!(world.calls("migrate").len(), 3);
    assert_eq!(
        libvirt.found(&job("hv1")).await.unwrap(),
        Found::Ended(note)
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_how_long_it_takes_by_its_own_past_and_what_comes_too_late() {
    let mut world = World::new();
    world.config.libvirt.parallel = 4;
    for number in 0..8 {
        world.guest(&format!("vm{number}"), 100 + number, SHARED);
    }
    let (engine, libvirt) = world.start().await;
    let plan = libvirt.plan(&job("hv1")).await.unwrap();
    assert!(
        plan.note.contains("8 guests") && plan.note.contains("assumed"),
        "{}",
        plan.note
    );
    assert!(plan.estimate_sec.is_some_and(|seconds| seconds > 0.0));
    let steps = mpsc::channel(1000).0;
    libvirt.evacuate(&job("hv1"), steps, never()).await.unwrap();
    world.guest("next", 100, SHARED);
    world.guest("bound", 100, LOCAL);
    let plan = libvirt.plan(&job("hv1")).await.unwrap();
    assert!(
        plan.note.contains("from 8 past migrations"),
        "{}",
        plan.note
    );
    assert!(
        plan.note
            .contains("1 guest cannot be moved: bound: its disk"),
        "{}",
        plan.note
    );
    assert_eq!(plan.moves.len(), 1);
    engine.stop().await;
    world.config.libvirt.lead_sec = 1e-6;
    let (engine, libvirt) = world.start().await;
    let plan = libvirt.plan(&job("hv1")).await.unwrap();
    assert!(
        plan.note.contains("1 of them later than that: next"),
        "{}",
        plan.note
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_cordoned_host_nor_one_that_the_policy_excludes_gets_a_guest() {
    let world = World::new();
    world.guest("vm", 100, SHARED);
    std::fs::write(world.folder.path().join("hv2"), "").unwrap();
    world.evacuate().await.0.unwrap();
    assert!(world.is_on("hv3", "vm"));
    let mut world = World::new();
    world.config.policy.set("target_other", "rack").unwrap();
    world.guest("vm", 100, SHARED);
    let why = world.evacuate().await.0.unwrap_err();
    assert!(
        why.contains("the rack of one of the two is unknown"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_name_could_be_an_option_or_another_uri_is_refused_before_anything_is_run() {
    let world = World::new();
    let (engine, libvirt) = world.start().await;
    for host in ["-c", "hv1/../hv2", "hv1?socket=/tmp/x", "a b", ""] {
        let why = libvirt.cordon(&job(host)).await.unwrap_err().0;
        assert!(why.contains("no name of a host"), "{why}");
        let steps = mpsc::channel(1).0;
        let why = libvirt
            .evacuate(&job(host), steps, never())
            .await
            .unwrap_err()
            .0;
        assert!(why.contains("no name of a host"), "{why}");
    }
    assert!(!world.path("calls").exists());
    engine.stop().await;
}
