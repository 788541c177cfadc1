//! What libvirt says about a guest: `dumpxml`.

use std::path::{Component, Path, PathBuf};

use bellwether_core::text::shortened;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// Maximum depth of the description of a guest.
const DEPTH_MAX: usize = 64;
/// Maximum number of reasons that are kept why a guest cannot be moved.
const OBSTACLES_MAX: usize = 8;
/// Maximum length of a name for people in bytes.
const NAME_MAX_BYTES: usize = 128;

/// A guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guest {
    /// By which it is named to libvirt.
    pub(super) uuid: String,
    /// For people, and for the lists in the configuration.
    pub(super) name: String,
    pub(super) memory_mib: u64,
    pub(super) vcpus: u32,
    /// Why it cannot be moved.
    pub(super) obstacles: Vec<String>,
}

/// Whether a text is a UUID as libvirt prints it.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A disk as far as it is read.
#[derive(Debug, Default)]
struct Disk {
    kind: String,
    device: String,
    target: String,
    paths: Vec<String>,
}

impl Disk {
    /// Why its guest cannot be moved.
    fn obstacle(&self, shared: &[PathBuf]) -> Option<String> {
        let what = format!("its {} {}", self.device, self.target);
        match self.kind.as_str() {
            "network" | "file" | "block" => {}
            kind => return Some(format!("{what} is of the type \"{kind}\"")),
        }
        let is_shared = |path: &&String| {
            let path = Path::new(path);
            let plain = !path.components().any(|part| part == Component::ParentDir);
            plain && shared.iter().any(|folder| path.starts_with(folder))
        };
        let local = self.paths.iter().find(|path| !is_shared(path))?;
        Some(format!(
            "{what} is {}, which is in none of \"shared_paths\"",
            shortened(local, 256)
        ))
    }
}

/// The value of an attribute.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = start
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    let value = found.map(|attribute| attribute.unescape_value().map(|value| value.into_owned()));
    value.transpose().map_err(|error| error.to_string())
}

/// The reader of one description.
struct Description<'a> {
    shared: &'a [PathBuf],
    guest: Guest,
    unit: String,
    disk: Disk,
}

impl Description<'_> {
    fn obstacle(&mut self, why: String) {
        if self.guest.obstacles.len() < OBSTACLES_MAX {
            self.guest.obstacles.push(why);
        }
    }

    fn open(&mut self, path: &[String], start: &BytesStart<'_>) -> Result<(), String> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["domain", "memory"] => {
                self.unit = attribute(start, "unit")?.unwrap_or_else(|| "KiB".into());
            }
            ["domain", "devices", "disk"] => {
                self.disk = Disk {
                    kind: attribute(start, "type")?.unwrap_or_else(|| "file".into()),
                    device: attribute(start, "device")?.unwrap_or_else(|| "disk".into()),
                    ..Disk::default()
                };
            }
            ["domain", "devices", "disk", "target"] => {
                self.disk.target = attribute(start, "dev")?.unwrap_or_default();
            }
            // Also those of backing files and mirrors.
            ["domain", "devices", "disk", .., "source"] => {
                for name in ["file", "dev"] {
                    self.disk.paths.extend(attribute(start, name)?);
                }
            }
            ["domain", "devices", "hostdev"] => {
                self.obstacle("it has a device of the host".into());
            }
            ["domain", "devices", "interface"]
                if attribute(start, "type")?.as_deref() == Some("hostdev") =>
            {
                self.obstacle("it has a network card of the host".into());
            }
            ["domain", "devices", "filesystem"] => {
                self.obstacle("it has a folder of the host".into());
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, path: &[String], text: &str) -> Result<(), String> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["domain", "uuid"] => self.guest.uuid = text.to_ascii_lowercase(),
            ["domain", "name"] => self.guest.name = shortened(text, NAME_MAX_BYTES),
            ["domain", "memory"] => {
                let bytes_per_unit: u64 = match self.unit.as_str() {
                    "KiB" | "k" => 1 << 10,
                    "MiB" | "M" => 1 << 20,
                    "GiB" | "G" => 1 << 30,
                    "b" | "bytes" => 1,
                    other => return Err(format!("its memory is in \"{}\"", shortened(other, 16))),
                };
                let count: u64 = text.parse().map_err(|_| "its memory is no number")?;
                self.guest.memory_mib = count.saturating_mul(bytes_per_unit).div_ceil(1 << 20);
            }
            ["domain", "vcpu"] => {
                self.guest.vcpus = text
                    .parse()
                    .map_err(|_| "its number of CPUs is no number")?;
            }
            ["domain", "devices", "disk"] => {
                if let Some(why) = self.disk.obstacle(self.shared) {
                    self.obstacle(why);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The guest that an XML of `virsh dumpxml` describes. Disks in files and block devices are local unless they are in one of `shared`.
pub(super) fn parse(xml: &str, shared: &[PathBuf]) -> Result<Guest, String> {
    let mut reader = Reader::from_str(xml);
    let mut description = Description {
        shared,
        guest: Guest {
            uuid: String::new(),
            name: String::new(),
            memory_mib: 0,
            vcpus: 0,
            obstacles: Vec::new(),
        },
        unit: String::new(),
        disk: Disk::default(),
    };
    let (mut path, mut text) = (Vec::new(), String::new());
    let name = |start: &BytesStart<'_>| String::from_utf8_lossy(start.name().as_ref()).into_owned();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                if path.len() >= DEPTH_MAX {
                    return Err("it is nested too deeply".into());
                }
                path.push(name(&start));
                text.clear();
                description.open(&path, &start)?;
            }
            Event::Empty(start) => {
                path.push(name(&start));
                description.open(&path, &start)?;
                description.close(&path, "")?;
                path.pop();
            }
            Event::Text(part) => {
                text.push_str(&part.decode().map_err(|error| error.to_string())?);
            }
            Event::GeneralRef(entity) => {
                let entity = entity.decode().map_err(|error| error.to_string())?;
                text.push_str(resolve_predefined_entity(&entity).unwrap_or("?"));
            }
            Event::End(_) => {
                description.close(&path, text.trim())?;
                text.clear();
                path.pop();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let guest = description.guest;
    if !path.is_empty() || !is_uuid(&guest.uuid) || guest.memory_mib == 0 || guest.vcpus == 0 {
        return Err("it is no whole description of a guest".into());
    }
    Ok(guest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web &amp; co</name>
  <uuid>6C0B6E3A-8F5B-4B0C-9A53-6C7A3E1F9D21</uuid>
  <metadata><a:b xmlns:a='urn:a'><name>not this</name></a:b></metadata>
  <memory unit='KiB'>2097153</memory>
  <currentMemory unit='KiB'>1048576</currentMemory>
  <vcpu placement='static' current='2'>4</vcpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n";

    fn guest(devices: &str) -> Guest {
        let xml = format!("{HEAD}{devices}</devices>\n</domain>\n");
        parse(&xml, &["/srv/shared".into()]).unwrap()
    }

    #[test]
    fn a_guest_on_shared_storage_can_be_moved() {
        let guest = guest(
            "<disk type='network' device='disk'><source protocol='rbd' name='pool/image'/><target dev='vda' bus='virtio'/></disk>
             <disk type='file' device='disk'><source file='/srv/shared/web.qcow2' index='1'/>
               <backingStore type='file'><source file='/srv/shared/base.qcow2'/></backingStore><target dev='vdb'/></disk>
             <disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>
             <interface type='bridge'><source bridge='br0'/></interface>",
        );
        assert_eq!(guest.obstacles, Vec::<String>::new());
        assert_eq!((guest.memory_mib, guest.vcpus), (2049, 4));
        assert_eq!(guest.name, "web & co");
        assert_eq!(guest.uuid, "6c0b6e3a-8f5b-4b0c-9a53-6c7a3e1f9d21");
    }

    #[test]
    fn a_guest_with_anything_of_its_host_cannot_be_moved_and_each_reason_is_named() {
        for (devices, reason) in [
            ("<disk type='file'><source file='/var/lib/x.img'/><target dev='vda'/></disk>", "its disk vda is /var/lib/x.img"),
            ("<disk type='block' device='lun'><source dev='/dev/sdb'/><target dev='sda'/></disk>", "its lun sda is /dev/sdb"),
            ("<disk type='file'><source file='/srv/shared/../x.img'/><target dev='vda'/></disk>", "shared_paths"),
            ("<disk type='file'><source file='/srv/shared2/x.img'/><target dev='vda'/></disk>", "shared_paths"),
            (
                "<disk type='file'><source file='/srv/shared/x'/><backingStore type='file'><source file='/base'/></backingStore>
                 <target dev='vda'/></disk>",
                "is /base",
            ),
            ("<disk type='nvme'><source type='pci'/><target dev='vda'/></disk>", "of the type \"nvme\""),
            ("<hostdev mode='subsystem' type='pci'/>", "a device of the host"),
            ("<interface type='hostdev' managed='yes'></interface>", "a network card of the host"),
            ("<filesystem type='mount'><source dir='/x'/></filesystem>", "a folder of the host"),
        ] {
            let guest = guest(devices);
            assert_eq!(guest.obstacles.len(), 1, "{devices}: {:?}", guest.obstacles);
            assert!(guest.obstacles[0].contains(reason), "{:?}", guest.obstacles);
        }
    }

    #[test]
    fn what_is_no_whole_description_is_refused() {
        let deep = "<a>".repeat(10_000);
        for xml in [
            "",
            "garbage",
            "<domain/>",
            HEAD,
            "<domain><memory unit='furlong'>1</memory></domain>",
            &deep,
        ] {
            assert!(parse(xml, &[]).is_err(), "{}", &xml[..xml.len().min(80)]);
        }
        assert!(is_uuid("6c0b6e3a-8f5b-4b0c-9a53-6c7a3e1f9d21"));
        for text in [
            "",
            "--domain",
            "6c0b6e3a-8f5b-4b0c-9a53-6c7a3e1f9d2g",
            "6c0b6e3a08f5b-4b0c-9a53-6c7a3e1f9d21",
        ] {
            assert!(!is_uuid(text), "{text}");
        }
    }
}
