//! One hypervisor: libvirtd and virtlogd in namespaces of their own, and its virtual machines.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::TestBed;
use super::cgroup::Groups;
use super::collectd::{Collectd, Input, Setup};
use super::guest;
use super::plugin::Plugin;
use super::process::{self, Processes};

/// What runs in the namespaces.
const SCRIPT: &str = include_str!("hypervisor.sh");

/// The longest path of a UNIX socket that Linux takes, bytes.
const SOCKET_PATH_MAX: usize = 107;

/// CPU that a host fault leaves to all machines together, percent of one core.
const FAULT_PERCENT: u32 = 40;

/// What it leaves to each at least, where there are many of them, and at most, where there are few; percent of one core.
/// Always less than half of what the guests want.
const FAULT_PERCENT_PER_VM: [u32; 2] = [8, 10];

/// CPU that a single machine's fault leaves to it, percent of one core.
const VM_FAULT_PERCENT: u32 = 8;

const QEMU_CONF: &str = r#"user = "root"
group = "root"
security_driver = "none"
namespaces = []
dynamic_ownership = 0
cgroup_controllers = ["cpu", "cpuacct"]
"#;

/// A running hypervisor. It ends with its test bed.
#[derive(Debug)]
pub struct Hypervisor {
    name: String,
    folder: PathBuf,
    vms: Vec<String>,
    groups: Groups,
    processes: Processes,
    collectd: super::capabilities::CollectdInstallation,
    /// The process that holds the namespaces.
    pid: u32,
}

impl Hypervisor {
    pub(super) fn start(bed: &TestBed, name: &str, vms: usize) -> Result<Self> {
        let folder = bed.folder.join(name);
        let hypervisor = Self {
            name: name.to_owned(),
            vms: (1..=vms).map(|number| format!("vm{number}")).collect(),
            groups: bed.groups.clone(),
            processes: bed.processes.clone(),
            collectd: bed.tools.collectd.clone(),
            pid: start_daemons(bed, name, &folder)?,
            folder,
        };
        for (number, vm) in hypervisor.vms.iter().enumerate() {
            hypervisor.start_machine(number, vm, &bed.tools.emulator)?;
        }
        Ok(hypervisor)
    }

    fn start_machine(&self, number: usize, vm: &str, emulator: &Path) -> Result<()> {
        let disk = self.folder.join(format!("{vm}.img"));
        // Loads that differ, as guests' do: 26 to 34 % of a core, of which a busy machine gives less.
        let duty_percent = 26 + (number as u8 * 3) % 9;
        let seed = 20_011_u16.wrapping_mul(number as u16 + 1);
        fs::write(&disk, guest::disk_image(seed, duty_percent))?;
        let description = self.folder.join(format!("{vm}.xml"));
        let partition = self.groups.partition(&self.name);
        fs::write(&description, domain(vm, &partition, emulator, &disk))?;
        self.virsh(&["create", &description.to_string_lossy()])
            .with_context(|| format!("cannot start {vm}"))?;
        Ok(())
    }

    fn virsh(&self, words: &[&str]) -> Result<String> {
        process::run(
            Command::new("virsh")
                .arg("-q")
                .args(["-c", &self.connection()])
                .args(words)
                .stdin(Stdio::null()),
        )
    }

    fn connection(&self) -> String {
        format!("qemu+unix:///system?socket={}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    /// Its host name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its machines.
    #[must_use]
    pub fn vms(&self) -> &[String] {
        &self.vms
    }

    /// Starts a collectd on this hypervisor, in its namespaces, with the virt plugin reading the machines.
    ///
    /// # Errors
    /// When it does not start; the message carries the end of its log.
    pub fn start_collectd(
        &self,
        interval_s: f64,
        plugin: Option<(&Plugin, &str)>,
    ) -> Result<Collectd> {
        let input = Input::Libvirt(self.socket());
        let setup = Setup {
            host: &self.name,
            folder: &self.folder,
            interval_s,
            input,
            plugin,
        };
        let namespaces = format!("/proc/{}/ns", self.pid);
        // Enter the daemons' control group before the namespaces: they share its weight.
        let mut enter = String::new();
        for procs in self.groups.daemon_procs(&self.name) {
            write!(enter, "echo 0 >{} && ", procs.display())?;
        }
        enter.push_str("exec \"$@\"");
        let wrapper = ["sh", "-c", &enter, "enter", "nsenter"]
            .map(str::to_owned)
            .into_iter()
            .chain([
                format!("--mount={namespaces}/mnt"),
                format!("--uts={namespaces}/uts"),
                format!("--pid={namespaces}/pid_for_children"),
            ]);
        Collectd::start(
            &self.collectd,
            &setup,
            &wrapper.collect::<Vec<_>>(),
            &self.processes,
        )
    }

    /// What [`Hypervisor::fault_host`] leaves to all machines together, percent of one core.
    #[must_use]
    pub fn fault_percent(&self) -> u32 {
        let [least, most] = FAULT_PERCENT_PER_VM.map(|percent| percent * self.vms.len() as u32);
        FAULT_PERCENT.clamp(least, most)
    }

    /// The host fails: its machines together get only [`Hypervisor::fault_percent`] of one core.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn fault_host(&self) -> Result<()> {
        self.groups
            .limit_machines(&self.name, Some(self.fault_percent()))
    }

    /// One machine alone gets little CPU.
    ///
    /// # Errors
    /// When there is no such machine, or the kernel refuses.
    pub fn fault_vm(&self, vm: &str) -> Result<()> {
        self.groups
            .limit_machine(&self.name, vm, Some(VM_FAULT_PERCENT))
    }

    /// Changes the load of one machine: it gets at most this many percent of one core; `None` is as much as it wants.
    ///
    /// # Errors
    /// When there is no such machine, or the kernel refuses.
    pub fn limit_vm(&self, vm: &str, percent_of_core: Option<u32>) -> Result<()> {
        self.groups.limit_machine(&self.name, vm, percent_of_core)
    }

    /// Pauses one machine, as an administrator does.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn pause(&self, vm: &str) -> Result<()> {
        self.virsh(&["suspend", vm]).map(drop)
    }

    /// Lets a paused machine run again.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn resume(&self, vm: &str) -> Result<()> {
        self.virsh(&["resume", vm]).map(drop)
    }

    /// Lifts every fault.
    ///
    /// # Errors
    /// When a machine has gone, or the kernel refuses.
    pub fn recover(&self) -> Result<()> {
        self.groups.limit_machines(&self.name, None)?;
        self.vms
            .iter()
            .try_for_each(|vm| self.groups.limit_machine(&self.name, vm, None))
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("run/libvirt-sock")
}

/// Starts the namespaces with libvirtd in them, and waits until it answers.
fn start_daemons(bed: &TestBed, name: &str, folder: &Path) -> Result<u32> {
    let socket = socket(folder);
    ensure!(
        socket.as_os_str().len() <= SOCKET_PATH_MAX,
        "the path {} is too long for a socket: set TMPDIR to a shorter one",
        socket.display()
    );
    bed.groups.add_hypervisor(name)?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("qemu.conf"), QEMU_CONF)?;
    let script = folder.join("hypervisor.sh");
    fs::write(&script, SCRIPT)?;
    let messages_file = folder.join("daemons.out");
    let messages = fs::File::create(&messages_file)?;
    let mut command = process::shell_in_namespaces();
    command
        .arg(&script)
        .args([name, &host_uuid()?])
        .arg(folder)
        .args(bed.groups.daemon_procs(name));
    command
        .stdin(Stdio::piped())
        .stdout(messages.try_clone()?)
        .stderr(messages);
    let pid = bed.processes.spawn(&mut command)?;
    let answers = process::wait_for(Duration::from_secs(30), || {
        if bed.processes.ended(pid).is_some() {
            return Some(false);
        }
        socket.exists().then_some(true)
    });
    if answers != Some(true) {
        let said = fs::read_to_string(&messages_file).unwrap_or_default();
        bail!("libvirtd of {name} did not start: {}", said.trim());
    }
    Ok(pid)
}

/// An identity of its own for each hypervisor on this machine: libvirt takes two of one identity for one host.
fn host_uuid() -> Result<String> {
    let random = "/proc/sys/kernel/random/uuid";
    Ok(fs::read_to_string(random)
        .with_context(|| format!("cannot read {random}"))?
        .trim()
        .to_owned())
}

fn domain(vm: &str, partition: &str, emulator: &Path, disk: &Path) -> String {
    format!(
        "<domain type='qemu'>\n  <name>{vm}</name>\n  <memory unit='MiB'>32</memory>\n  <vcpu>1</vcpu>\n  \
         <resource><partition>{partition}</partition></resource>\n  \
         <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>\n  <devices>\n    \
         <emulator>{}</emulator>\n    \
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>\
         <target dev='hda' bus='ide'/></disk>\n    \
         <controller type='usb' model='none'/><memballoon model='none'/>\n  </devices>\n</domain>\n",
        emulator.display(),
        disk.display()
    )
}
