//! Saving, loading and what can go wrong on the way.

use super::*;
use std::cell::Cell;
use std::env;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use rustix::fs::{CWD, FileType, Mode, mknodat};

const LIMIT: u64 = 1 << 20;

/// [`write()`](super::write()) of bytes in memory.
fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, &mut |writer| writer.write_all(bytes))
}

/// The content of the file returned by [`open`].
fn read(path: &Path, is_whole: impl Fn(&[u8]) -> bool) -> io::Result<Option<Vec<u8>>> {
    let content = |file: &mut File| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let file = open(path, LIMIT, &mut |file| is_whole(&content(file)))?;
    Ok(file.map(|mut file| content(&mut file)))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_missing_folder_is_created_for_this_user_and_group_only() {
    let folder = folder();
    let path = folder.path().join("bellwether/state");
    assert_eq!(prepare(&path).unwrap(), Way::Replaced);
    let mode = fs::metadata(path.parent().unwrap()).unwrap().mode();
    assert_eq!(mode & 0o777 & !0o750, 0, "{mode:o}");
    assert!(names(path.parent().unwrap()).is_empty());
    write_bytes(&path, b"state").unwrap();
}

#[test]
fn unusable_paths_are_refused_with_the_reason() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "a file").unwrap();
    for (path, reason) in [
        (
            folder.path().join("no/such/state"),
            "no/such does not exist and cannot be created",
        ),
        (file.join("state"), "file is not a folder"),
        (folder.path().to_owned(), "it is not a regular file"),
        (
            "/proc/bellwether.state".into(),
            "its folder /proc cannot be written to",
        ),
        (
            "/proc/bellwether/state".into(),
            "/proc/bellwether does not exist and cannot be created",
        ),
    ] {
        let error = prepare(&path).unwrap_err().to_string();
        assert!(error.contains(reason), "{path:?}: {error}");
    }
}

#[test]
fn preparing_changes_nothing_of_an_existing_state() {
    let folder = folder();
    let path = folder.path().join("state");
    write_bytes(&path, b"learned").unwrap();
    fs::write(copy_of(&path), b"the copy of a save that a crash ended").unwrap();
    let before = fs::metadata(&path).unwrap();
    prepare(&path).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec())
    );
    assert_eq!(names(folder.path()), ["state", "state.tmp"]);
}

#[test]
fn a_symbolic_link_stays_and_what_it_leads_to_is_replaced() {
    let folder = folder();
    let link = folder.path().join("link");
    fs::create_dir(folder.path().join("volume")).unwrap();
    symlink("volume/state", &link).unwrap();
    prepare(&link).unwrap();
    for bytes in [b"one", b"two"] {
        write_bytes(&link, bytes).unwrap();
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(
        fs::read(folder.path().join("volume/state")).unwrap(),
        b"two"
    );
    assert_eq!(
        set_aside(&link).unwrap(),
        folder.path().join("volume/state.unusable")
    );
}

#[test]
fn a_link_that_any_user_could_have_made_is_not_followed() {
    let folder = folder();
    let precious = folder.path().join("precious");
    fs::write(&precious, "the password file").unwrap();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    let link = shared.join("state");
    symlink(&precious, &link).unwrap();
    for error in [
        prepare(&link).unwrap_err(),
        write_bytes(&link, b"state").unwrap_err(),
        open(&link, LIMIT, &mut |_| true).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("every user may write to"), "{error}");
    }
    assert_eq!(set_aside(&link), None);
    // Nor is a link that another user put in place of the copy, neither to write nor to read it.
    fs::remove_file(&link).unwrap();
    symlink(&precious, copy_of(&link)).unwrap();
    fs::write(&link, "torn").unwrap();
    let is_whole = |bytes: &[u8]| bytes == b"the password file";
    assert_eq!(read(&link, is_whole).unwrap().unwrap(), b"torn");
    write_bytes(&link, b"state").unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"the password file");
}

#[test]
fn paths_from_the_table_of_mounts_are_unescaped() {
    let plain = unescaped(br"/a\040b\134c\011\xd\");
    assert_eq!(plain, b"/a b\\c\t\\xd\\");
}

#[test]
fn a_file_in_the_table_of_mounts_is_distinguished_from_others() {
    // Some container runtimes mount these; otherwise nothing is checked.
    for file in ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"] {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let listed = table
            .lines()
            .any(|line| line.split(' ').nth(4) == Some(file));
        if listed && Path::new(file).is_file() {
            assert!(is_mount(Path::new(file)), "{file}");
        }
    }
    let folder = folder();
    fs::write(folder.path().join("state"), "").unwrap();
    assert!(!is_mount(&folder.path().join("state")));
}

#[test]
fn cyclic_links_are_refused() {
    let folder = folder();
    let link = folder.path().join("link");
    symlink("link", &link).unwrap();
    assert!(prepare(&link).unwrap_err().to_string().contains("links"));
}

#[test]
fn a_torn_file_is_replaced_by_the_whole_copy_beside_it() {
    let folder = folder();
    let path = folder.path().join("state");
    fs::write(&path, "ne").unwrap();
    fs::write(copy_of(&path), "new").unwrap();
    let is_whole = |bytes: &[u8]| bytes.len() == 3;
    assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"new");
    fs::write(copy_of(&path), "n").unwrap();
    assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"ne");
    fs::write(&path, "old").unwrap();
    fs::write(copy_of(&path), "new").unwrap();
    assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"old");
}

#[test]
fn an_empty_file_is_a_first_start() {
    let folder = folder();
    let path = folder.path().join("state");
    File::create(&path).unwrap();
    assert_eq!(read(&path, |bytes| !bytes.is_empty()).unwrap(), None);
}

#[test]
fn a_dangling_link_is_followed_when_the_state_is_written() {
    let folder = folder();
    let link = folder.path().join("link");
    symlink("target", &link).unwrap();
    assert_eq!(read(&link, |_| true).unwrap(), None);
    assert_eq!(prepare(&link).unwrap(), Way::Replaced);
    write_bytes(&link, b"state").unwrap();
    assert_eq!(read(&link, |_| true).unwrap().unwrap(), b"state");
    assert_eq!(names(folder.path()), ["link", "target"]);
}

#[test]
fn a_new_file_is_for_this_user_only_and_an_old_one_keeps_its_mode() {
    let folder = folder();
    let path = folder.path().join("state");
    write_bytes(&path, b"new").unwrap();
    assert_eq!(mode(&path), 0o600);
    for old in [0o640, 0o664, 0o600] {
        fs::set_permissions(&path, fs::Permissions::from_mode(old)).unwrap();
        write_bytes(&path, b"newer").unwrap();
        assert_eq!(mode(&path), old, "{old:o}");
    }
}

#[test]
fn a_renamed_unusable_file_keeps_its_mode() {
    let folder = folder();
    let path = folder.path().join("state");
    write_bytes(&path, b"unusable").unwrap();
    copied(&path, &folder.path().join("copy")).unwrap();
    assert_eq!(mode(&folder.path().join("copy")), 0o600);
    assert_eq!(mode(&set_aside(&path).unwrap()), 0o600);
}

#[test]
fn root_preserves_the_owner_of_a_state() {
    let folder = folder();
    let path = folder.path().join("state");
    write_bytes(&path, b"a daemon's").unwrap();
    if std::os::unix::fs::chown(&path, Some(12345), Some(12346)).is_err() {
        eprintln!("SKIPPED: only root can give a file away");
        return;
    }
    write_bytes(&path, b"what root has saved").unwrap();
    let new = fs::metadata(&path).unwrap();
    assert_eq!((new.uid(), new.gid()), (12345, 12346));
}

/// Path and flags of the open file that is being written.
fn open_temporary(folder: &Path) -> (PathBuf, i32) {
    let folder = folder.canonicalize().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let entry = entry.unwrap();
        let Ok(path) = fs::read_link(entry.path()) else {
            continue;
        };
        if path.parent() == Some(&folder) {
            let number = entry.file_name().into_string().unwrap();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = i32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
            found.push((path, flags));
        }
    }
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn the_temporary_file_has_another_name_each_time_and_is_private_and_closed_on_exec() {
    let folder = folder();
    let path = folder.path().join("state");
    let mut seen = Vec::new();
    for _ in 0..3 {
        write(&path, &mut |writer| {
            let (temporary, flags_of_it) = open_temporary(folder.path());
            let wanted = flags(OFlags::NOFOLLOW | OFlags::CLOEXEC);
            assert_eq!(flags_of_it & wanted, wanted, "{flags_of_it:o}");
            assert_eq!(mode(&temporary), 0o600);
            let name = temporary.file_name().unwrap().as_bytes();
            assert!(is_temporary(name, b"state"), "{temporary:?}");
            seen.push(temporary);
            writer.write_all(b"state")
        })
        .unwrap();
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(names(folder.path()), ["state"]);
}

#[test]
fn no_existing_file_is_used_as_a_temporary_file() {
    let folder = folder();
    let precious = folder.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let path = temporary_path(&folder.path().join("state"), 7);
    symlink(&precious, &path).unwrap();
    let error = Temporary::create_as(path.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    fs::remove_file(&path).unwrap();
    symlink("nowhere", &path).unwrap();
    let error = Temporary::create_as(path.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(!folder.path().join("nowhere").exists());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    let error = Temporary::create_as(path.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"another's");
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}

#[test]
fn only_old_regular_files_with_our_own_names_are_cleaned_up() {
    let folder = folder();
    let path = folder.path().join("state");
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let create = |name: &str, modified: SystemTime| {
        let file = File::create(folder.path().join(name)).unwrap();
        file.set_modified(modified).unwrap();
    };
    create(".state.0123456789abcdef.tmp", hour_ago);
    let kept = [
        // Another process may be writing it.
        (".state.0123456789abcde0.tmp", SystemTime::now()),
        (".state.0123456789abcde.tmp", hour_ago),
        (".state.0123456789abcdefa.tmp", hour_ago),
        (".state.0123456789ABCDEF.tmp", hour_ago),
        (".state.0123456789abcdef.tmq", hour_ago),
        (".other.0123456789abcdef.tmp", hour_ago),
        ("state.0123456789abcdef.tmp", hour_ago),
        (".state2.0123456789abcdef.tmp", hour_ago),
    ];
    for (name, modified) in kept {
        create(name, modified);
    }
    let precious = folder.path().join("precious");
    create("precious", hour_ago);
    symlink(&precious, folder.path().join(".state.00000000000000ff.tmp")).unwrap();
    fs::create_dir(folder.path().join(".state.00000000000000fe.tmp")).unwrap();
    write_bytes(&path, b"state").unwrap();
    let left = names(folder.path());
    assert_eq!(left.len(), kept.len() + 4, "{left:?}");
    assert!(!left.contains(&".state.0123456789abcdef.tmp".into()));
}

#[test]
fn an_error_or_panic_during_a_save_leaves_the_old_state_and_nothing_else() {
    let folder = folder();
    let path = folder.path().join("state");
    write_bytes(&path, b"old").unwrap();
    let error = write(&path, &mut |writer| {
        writer.write_all(&[7; 3 * BUFFER_BYTES])?;
        Err(io::Error::other("it cannot be serialized"))
    });
    assert_eq!(error.unwrap_err().to_string(), "it cannot be serialized");
    let panic = std::panic::catch_unwind(|| {
        write(&path, &mut |writer| {
            writer.write_all(b"half")?;
            panic!("out of the blue")
        })
    });
    assert!(panic.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["state"]);
}

#[test]
fn a_large_state_is_written_whole_and_a_shorter_one_truncates_it() {
    let folder = folder();
    let path = folder.path().join("state");
    let large: Vec<u8> = (0..5 * BUFFER_BYTES + 3).map(|i| i as u8).collect();
    write(&path, &mut |writer| {
        large
            .chunks(999)
            .try_for_each(|part| writer.write_all(part))
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), large);
    overwrite(&path, &mut |writer| writer.write_all(b"short")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"short");
}

#[test]
fn a_pipe_a_device_and_a_folder_are_neither_read_nor_replaced_and_never_block() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let device = folder.path().join("device");
    symlink("/dev/zero", &device).unwrap();
    let inner = folder.path().join("folder");
    fs::create_dir(&inner).unwrap();
    for path in [&pipe, &device, &inner] {
        for error in [
            prepare(path).unwrap_err(),
            write_bytes(path, b"state").unwrap_err(),
            open(path, LIMIT, &mut |_| panic!("it is opened")).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "it is not a regular file", "{path:?}");
        }
    }
    assert_eq!(names(folder.path()), ["device", "folder", "pipe"]);
    assert!(!metadata_of(&pipe).unwrap().unwrap().is_file());
}

#[test]
fn a_pipe_and_a_folder_beside_a_torn_state_are_not_copies() {
    let folder = folder();
    let path = folder.path().join("state");
    fs::write(&path, "torn").unwrap();
    mknodat(CWD, copy_of(&path), FileType::Fifo, Mode::from(0o600), 0).unwrap();
    assert_eq!(read(&path, |_| false).unwrap().unwrap(), b"torn");
    fs::remove_file(copy_of(&path)).unwrap();
    fs::create_dir(copy_of(&path)).unwrap();
    assert_eq!(read(&path, |_| false).unwrap().unwrap(), b"torn");
    write_bytes(&path, b"state").unwrap();
    assert_eq!(read(&path, |_| true).unwrap().unwrap(), b"state");
}

#[test]
fn a_file_larger_than_the_limit_is_not_read() {
    let folder = folder();
    let path = folder.path().join("state");
    let limit = 10;
    let looked = Cell::new(0);
    let mut is_whole = |_: &mut File| {
        looked.set(looked.get() + 1);
        true
    };
    fs::write(&path, [0; 10]).unwrap();
    assert!(open(&path, limit, &mut is_whole).unwrap().is_some());
    fs::write(&path, [0; 11]).unwrap();
    let error = open(&path, limit, &mut is_whole).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    assert_eq!(
        error.to_string(),
        "it has 11 bytes, more than the 10 that a state can have"
    );
    // Nor is a copy of that size.
    fs::write(copy_of(&path), [0; 11]).unwrap();
    open(&path, limit, &mut is_whole).unwrap_err();
    assert_eq!(looked.get(), 1);
    fs::write(copy_of(&path), [0; 10]).unwrap();
    assert!(open(&path, limit, &mut is_whole).unwrap().is_some());
}

#[test]
fn four_gibibytes_of_zeros_are_refused_at_their_first_bytes() {
    let folder = folder();
    let path = folder.path().join("state");
    let sparse = File::create(&path).unwrap();
    sparse.set_len(4 << 30).unwrap();
    let started = Instant::now();
    let mut head = [1; 8];
    let mut is_whole = |file: &mut File| {
        file.read_exact(&mut head).unwrap();
        head == *b"BELLWTHR"
    };
    let file = open(&path, u64::MAX, &mut is_whole).unwrap().unwrap();
    assert_eq!(file.metadata().unwrap().len(), 4 << 30);
    assert_eq!(head, [0; 8]);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_copy_by_another_user_is_not_used() {
    let folder = folder();
    let path = folder.path().join("state");
    fs::write(&path, "ne").unwrap();
    fs::write(copy_of(&path), "new").unwrap();
    let is_whole = |bytes: &[u8]| bytes.len() == 3;
    assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"new");
    if std::os::unix::fs::chown(copy_of(&path), Some(12345), None).is_err() {
        eprintln!("SKIPPED: only root can give a file away");
        return;
    }
    assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"ne");
}

/// Set to the folder for a process started by [`in_mount_namespace`].
const NAMESPACE_FOLDER: &str = "BELLWETHER_TEST_FOLDER";

/// Runs the test `name` of this program again in its own mount namespace, prepared by `script`, whose "$1" is a folder for it;
/// calls `check` in that process. Skips the test if such namespaces are not allowed.
fn in_mount_namespace(name: &str, script: &str, check: impl Fn(&Path)) {
    if let Some(folder) = env::var_os(NAMESPACE_FOLDER) {
        return check(Path::new(&folder));
    }
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        let users = if rustix::process::geteuid().is_root() {
            "-m"
        } else {
            "-rm"
        };
        command.args([users, "sh", "-ec", script, "sh"]);
        command.stdin(Stdio::null());
        command
    };
    let folder = folder();
    let possible = unshare("mount -t tmpfs none \"$1\"")
        .arg(folder.path())
        .output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no mounts in a namespace of its own are allowed here");
        return;
    }
    let output = unshare(&format!("{script}\nexec \"$2\" --exact \"$3\" --nocapture"))
        .arg(folder.path())
        .arg(env::current_exe().unwrap())
        .arg(format!("state_file::tests::{name}"))
        .env(NAMESPACE_FOLDER, folder.path())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
fn on_a_full_disk_the_old_state_stays_and_nothing_else() {
    in_mount_namespace(
        "on_a_full_disk_the_old_state_stays_and_nothing_else",
        "mount -t tmpfs -o size=128k none \"$1\"",
        |folder| {
            let path = folder.join("state");
            write_bytes(&path, b"old").unwrap();
            let error = write_bytes(&path, &[7; 1 << 20]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull);
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(names(folder), ["state"]);
            write_bytes(&path, b"new").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
        },
    );
}

#[test]
fn on_a_read_only_file_system_state_is_read_and_cannot_be_prepared() {
    in_mount_namespace(
        "on_a_read_only_file_system_state_is_read_and_cannot_be_prepared",
        "mount -t tmpfs none \"$1\"; printf old > \"$1/state\"; mount -o remount,bind,ro \"$1\"",
        |folder| {
            let path = folder.join("state");
            assert_eq!(read(&path, |_| true).unwrap().unwrap(), b"old");
            assert_eq!(
                prepare(&path).unwrap_err().kind(),
                ErrorKind::ReadOnlyFilesystem
            );
            assert_eq!(
                write_bytes(&path, b"new").unwrap_err().kind(),
                ErrorKind::ReadOnlyFilesystem
            );
            assert_eq!(
                prepare(&folder.join("new")).unwrap_err().kind(),
                ErrorKind::ReadOnlyFilesystem
            );
            assert_eq!(set_aside(&path), None);
        },
    );
}

#[test]
fn a_mounted_file_is_overwritten_in_place_with_a_copy_beside_it_meanwhile() {
    in_mount_namespace(
        "a_mounted_file_is_overwritten_in_place_with_a_copy_beside_it_meanwhile",
        "mount -t tmpfs none \"$1\"; printf 'old and longer' > \"$1/outside\"; : > \"$1/state\"
         mount --bind \"$1/outside\" \"$1/state\"",
        |folder| {
            let path = folder.join("state");
            assert_eq!(prepare(&path).unwrap(), Way::InPlace);
            write_bytes(&path, b"new").unwrap();
            assert_eq!(fs::read(folder.join("outside")).unwrap(), b"new");
            assert_eq!(names(folder), ["outside", "state"]);
            // It is overwritten even if a folder has the name of the copy.
            fs::create_dir(copy_of(&path)).unwrap();
            write_bytes(&path, b"newer").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"newer");
            assert_eq!(names(folder), ["outside", "state", "state.tmp"]);
            // It can be kept under another name only as a copy.
            assert_eq!(set_aside(&path).unwrap(), folder.join("state.unusable"));
            assert_eq!(fs::read(folder.join("state.unusable")).unwrap(), b"newer");
        },
    );
}

#[test]
fn a_file_in_a_read_only_folder_is_overwritten_in_place() {
    in_mount_namespace(
        "a_file_in_a_read_only_folder_is_overwritten_in_place",
        "mkdir \"$1/outside\"; mount -t tmpfs none \"$1/outside\"; printf old > \"$1/outside/file\"
         mkdir \"$1/folder\"; mount -t tmpfs none \"$1/folder\"; : > \"$1/folder/state\"
         mount --bind \"$1/outside/file\" \"$1/folder/state\"; mount -o remount,bind,ro \"$1/folder\"",
        |folder| {
            let path = folder.join("folder/state");
            assert_eq!(prepare(&path).unwrap(), Way::InPlace);
            write_bytes(&path, b"new and longer").unwrap();
            write_bytes(&path, b"new").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
        },
    );
}

/// Set for a process that is to crash during a save, to the number of bytes after which it crashes.
const CRASH: &str = "BELLWETHER_TEST_CRASH";

#[test]
fn a_crash_at_any_byte_leaves_the_old_state_and_a_file_that_is_cleaned_up_later() {
    let new = [7; 3 * BUFFER_BYTES];
    if let (Some(folder), Ok(written)) = (env::var_os(NAMESPACE_FOLDER), env::var(CRASH)) {
        let written: usize = written.parse().unwrap();
        write(&Path::new(&folder).join("state"), &mut |writer| {
            writer.write_all(&new[..written])?;
            std::process::abort()
        })
        .unwrap();
    }
    let folder = folder();
    let path = folder.path().join("state");
    write_bytes(&path, b"old").unwrap();
    let crashes = [0, 1, BUFFER_BYTES, 2 * BUFFER_BYTES + 1, new.len()];
    for written in crashes {
        let status = Command::new(env::current_exe().unwrap())
            .arg("--exact")
            .arg("state_file::tests::a_crash_at_any_byte_leaves_the_old_state_and_a_file_that_is_cleaned_up_later")
            .env(NAMESPACE_FOLDER, folder.path())
            .env(CRASH, written.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), None, "it was to be killed");
        assert_eq!(read(&path, |_| true).unwrap().unwrap(), b"old");
        assert_eq!(read(&path, |_| false).unwrap().unwrap(), b"old");
    }
    assert_eq!(names(folder.path()).len(), 1 + crashes.len());
    for name in names(folder.path()) {
        if name != "state" {
            let file = File::options().write(true).open(folder.path().join(name));
            let hour_ago = SystemTime::now() - Duration::from_secs(3600);
            file.unwrap().set_modified(hour_ago).unwrap();
        }
    }
    write_bytes(&path, b"new").unwrap();
    assert_eq!(names(folder.path()), ["state"]);
}
