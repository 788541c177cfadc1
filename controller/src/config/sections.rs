//! The sections of the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::table::section;

section! {
    /// Where the controller listens, and who may do what.
    pub struct Server {
        listen: SocketAddr = "\"127.0.0.1:9470\"", 0..0, "an address and a port, such as \"127.0.0.1:9470\"", "",
            "Address to listen on. Any other than a loopback address needs `token_file`, `tls_cert` and `tls_key`.";
        token_file: Option<PathBuf> = "\"\"", 0..0, "a path", "",
            "File with the token of operators, one line. Without it, whoever reaches the loopback address may do everything.";
        ingest_token_file: Option<PathBuf> = "\"\"", 0..0, "a path", "",
            "File with the token of senders, which may only post events. Without it, they use that of operators.";
        tls_cert: Option<PathBuf> = "\"\"", 0..0, "a path", "",
            "Certificate chain as PEM, the server's first.";
        tls_key: Option<PathBuf> = "\"\"", 0..0, "a path", "",
            "Private key of the certificate as PEM.";
        max_body_kib: usize = "4096", 1..1048576, "1 to 1048576", "KiB",
            "Largest body of a request.";
        max_connections: usize = "512", 1..65536, "1 to 65536", "",
            "Maximum number of connections; further ones wait.";
        max_streams: usize = "32", 0..65536, "0 to 65536", "",
            "Maximum number of clients of `/v1/stream`; further ones are refused.";
        request_sec: f64 = "30", 1..3600, "1 to 3600", "seconds",
            "Close a connection that has not sent a whole request within this time.";
    }
}

section! {
    /// How events are taken in.
    pub struct Ingest {
        queue_length: usize = "10000", 1..1000000, "1 to 1000000", "",
            "Maximum number of events that wait to be stored; a request beyond that gets the status 429.";
        reorder_sec: f64 = "2", 0..60, "0 to 60", "seconds",
            "Wait for this time for events that arrive late, to decide in the order of their times.";
        reorder_length: usize = "10000", 1..1000000, "1 to 1000000", "",
            "Maximum number of events that wait for earlier ones; beyond that, the earliest is used at once.";
        ahead_sec: f64 = "300", 1..86400, "1 to 86400", "seconds",
            "Refuse events whose time is farther than this in the future.";
        remember: usize = "100000", 1000..10000000, "1000 to 10000000", "",
            "Number of events by which repeated ones are recognized.";
        tick_sec: f64 = "5", 0.1..60, "0.1 to 60", "seconds",
            "How often the policy is asked what the passing of time changes.";
    }
}

section! {
    /// What the controller remembers.
    pub struct Store {
        path: Option<PathBuf> = "\"/var/lib/bellwether-controller/state.db\"", 0..0, "a path", "",
            "File of the database. Its folder must exist. An empty path keeps everything in memory, and a restart forgets it.";
        snapshot_inputs: usize = "2000", 10..1000000, "10 to 1000000", "",
            "Save the state after this many inputs; a restart repeats at most these.";
        keep_days: f64 = "90", 0.01..3650, "0.01 to 3650", "days",
            "Delete events and audit entries that are older than this.";
        max_events: usize = "1000000", 1000..100000000, "1000 to 100000000", "",
            "Maximum number of events to keep; beyond that, the oldest are deleted.";
    }
}

section! {
    /// The hosts of the cluster and what they share.
    pub struct Inventory {
        file: Option<PathBuf> = "\"\"", 0..0, "a path", "",
            "File with the hosts and their labels, TOML or JSON; read again when it changes.";
        url: String = "\"\"", 0..2048, "a URL of at most 2048 bytes", "",
            "The same as JSON over HTTP, instead of `file`.";
        reload_sec: f64 = "60", 1..86400, "1 to 86400", "seconds",
            "How often it is read again.";
        max_hosts: usize = "200000", 1..1000000, "1 to 1000000", "",
            "Maximum number of hosts in it; a larger inventory is refused.";
    }
}

section! {
    /// How guests are moved.
    pub struct Executor {
        kind: String = "\"none\"", 0..32, "\"none\", \"hooks\" or \"libvirt\"", "",
            "`none` moves nothing; `hooks` runs the programs of the section `hooks`; `libvirt` migrates guests by `virsh`.";
        retry_sec: f64 = "5", 0.1..3600, "0.1 to 3600", "seconds",
            "Ask an executor that cannot say what became of an evacuation again after this time.";
    }
}

section! {
    /// Programs that move guests.
    pub struct Hooks {
        cordon: Vec<String> = "[]", 0..0, "a program and its arguments, such as [\"/usr/local/bin/cordon\", \"now\"]", "",
            "Keeps new guests away from the host; runs before `evacuate`. Empty for none.";
        evacuate: Vec<String> = "[]", 0..0, "a program and its arguments, such as [\"/usr/local/bin/evacuate\"]", "",
            "Moves the guests away. It gets the decision as JSON on its standard input and as `BELLWETHER_` variables.";
        undo: Vec<String> = "[]", 0..0, "a program and its arguments, such as [\"/usr/local/bin/uncordon\"]", "",
            "Makes the host usable again; runs when `evacuate` fails. Empty for none.";
        timeout_sec: f64 = "3600", 1..86400, "1 to 86400", "seconds",
            "Kill a program, with all that it started, after this time.";
        output_kib: usize = "64", 1..65536, "1 to 65536", "KiB",
            "How much of a program's output is kept; the rest is read and dropped.";
    }
}

section! {
    /// Live migration by `virsh`.
    pub struct Libvirt {
        virsh: String = "\"virsh\"", 1..4096, "a path, or a name in PATH", "",
            "The program `virsh`.";
        uri: String = "\"qemu+ssh://{host}/system?no_tty=1\"", 1..1024, "a URI of libvirt with {host} in it", "",
            "Connection to a host, as the controller reaches it.";
        peer_uri: String = "\"\"", 0..1024, "a URI of libvirt with {host} in it", "",
            "Connection to a target, as the evacuated host's libvirt daemon reaches it. Empty means the same as `uri`.";
        migrate_uri: String = "\"\"", 0..1024, "a URI with {host} in it, such as \"tcp://{host}\"", "",
            "Where QEMU sends the memory of guests. Empty lets libvirt choose.";
        hosts: Vec<String> = "[]", 0..0, "a list such as [\"kvm1=qemu+tls://10.0.0.1/system\"]", "",
            "Hosts whose connection is another than `uri` and `peer_uri` say.";
        shared_paths: Vec<String> = "[]", 0..0, "a list of folders, such as [\"/var/lib/libvirt/images\"]", "",
            "Folders that all hosts share. Guests with a disk in any other file or block device are not moved.";
        first: Vec<String> = "[]", 0..0, "a list of guests", "",
            "Guests to move first, in this order; the others follow, small ones first.";
        apart: Vec<String> = "[]", 0..0, "a list such as [\"db1,db2\"]", "",
            "Guests that must not be on the same host, separated by commas.";
        parallel: usize = "2", 1..64, "1 to 64", "",
            "Number of guests that are moved at once.";
        bandwidth_mib_s: usize = "0", 0..1000000, "0 to 1000000", "MiB per second",
            "Bandwidth that all migrations of an evacuation share; 0 sets no limit.";
        reserve_mib: usize = "1024", 0..10000000, "0 to 10000000", "MiB",
            "Memory that stays free on a target.";
        vcpus_per_cpu: f64 = "4", 0.1..1000, "0.1 to 1000", "",
            "Maximum number of virtual CPUs per CPU of a target.";
        max_targets: usize = "16", 1..256, "1 to 256", "",
            "Maximum number of hosts that are asked what they have free.";
        lead_sec: f64 = "480", 1..86400, "1 to 86400", "seconds",
            "How long a failing host is expected to last; the plan says what will not be moved by then.";
        command_sec: f64 = "20", 1..600, "1 to 600", "seconds",
            "Kill a `virsh` that asks something after this time.";
        guest_sec: f64 = "900", 10..86400, "10 to 86400", "seconds",
            "Abort the migration of a guest after this time.";
        settle_sec: f64 = "60", 1..3600, "1 to 3600", "seconds",
            "Wait for this time until both hosts agree on where a guest is.";
        output_kib: usize = "4096", 1..65536, "1 to 65536", "KiB",
            "Maximum output of `virsh`; more is refused as an error.";
        cordon_folder: Option<PathBuf> = "\"\"", 0..0, "a path", "",
            "Folder in which a cordoned host gets a file of its name. No guest is moved to such a host.";
        return_guests: bool = "true", 0..0, "true or false", "",
            "After an evacuation is canceled, move back what it has moved.";
        unsafe_storage: bool = "false", 0..0, "true or false", "",
            "Pass `--unsafe`, for storage in `shared_paths` that libvirt does not recognize as shared.";
    }
}
