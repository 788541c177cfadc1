//! Output of containers: Docker's json-file (see [`json`](super::json)) and the files of the container runtime interface (CRI).

use std::path::Path;

use bellwether_core::lad::Transport;

use super::application;
use super::line::{Container, Context, Line, Output};
use crate::times::Stamp;

/// The container that a file's name names: `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log`,
/// `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log` or `.../containers/ID/ID-json.log`.
pub fn name(path: &Path) -> Option<Container> {
    let part = |at: usize| path.iter().rev().nth(at).and_then(|name| name.to_str());
    let (file, folder) = (part(0)?, part(1)?);
    if let Some(id) = file.strip_suffix("-json.log")
        && is_id(id)
    {
        return Some(Container {
            name: String::new(),
            unit: id.get(..12)?.to_owned(),
        });
    }
    if folder == "containers" {
        let mut fields = file.split(".log").next()?.splitn(3, '_');
        let (pod, namespace, container) = (fields.next()?, fields.next()?, fields.next()?);
        let (container, id) = container.rsplit_once('-')?;
        return is_id(id).then(|| Container {
            name: container.to_owned(),
            unit: format!("{namespace}/{pod}"),
        });
    }
    (part(3)? == "pods").then_some(())?;
    let mut fields = part(2)?.splitn(3, '_');
    let (namespace, pod) = (fields.next()?, fields.next()?);
    fields.next()?;
    Some(Container {
        name: folder.to_owned(),
        unit: format!("{namespace}/{pod}"),
    })
}

fn is_id(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What follows the time in a file of the CRI: "stdout F text"; "P" is a part of a text that goes on in the next line.
pub fn cri<'a>(time: f64, rest: &'a str, context: &Context) -> Option<Line<'a>> {
    let rest = rest.strip_prefix(' ')?;
    let (output, rest) = match rest.strip_prefix("stdout ") {
        Some(rest) => (Output::Stdout, rest),
        None => (Output::Stderr, rest.strip_prefix("stderr ")?),
    };
    let (tags, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_part = match tags.split(':').next()? {
        "F" => false,
        "P" => true,
        _ => return None,
    };
    Some(output_of(Stamp::At(time), output, is_part, text, context))
}

/// A line of a container's output.
pub fn output_of<'a>(
    time: Stamp,
    output: Output,
    is_part: bool,
    text: &'a str,
    context: &Context,
) -> Line<'a> {
    let container = context.container.clone().unwrap_or_default();
    Line {
        time,
        program: container.name.into(),
        unit: container.unit.into(),
        transport: Transport::Container,
        text: text.into(),
        is_part,
        output: Some(output),
        ..Line::default()
    }
}

/// Takes level and message out of a whole text of a container, where the application in it logs in a form of its own.
pub fn refine(text: &str) -> Option<(Option<u8>, String)> {
    if text.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let line = super::json::record(value.as_object()?, &Context::default())?;
        return Some((line.priority, line.text.into_owned()));
    }
    let line = application::klog(text).or_else(|| application::logfmt(text))?;
    Some((line.priority, line.text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TIME, assert_rows};
    use super::*;
    use crate::forms::parse;
    use Transport::Container as InContainer;

    #[test]
    fn a_line_of_the_cri_is_a_container_s_and_may_be_a_part() {
        let at = Stamp::At(TIME + 0.123_456);
        assert_rows(&[
            (
                "2026-11-27T10:00:00.123456789Z stderr F disk failed: x",
                (at, "", "", InContainer, None, "disk failed: x"),
            ),
            (
                "2026-11-27T11:00:00.123456789+01:00 stdout P half a",
                (at, "", "", InContainer, None, "half a"),
            ),
            (
                "2026-11-27T10:00:00.123456789Z stdout F ",
                (at, "", "", InContainer, None, ""),
            ),
        ]);
        let part = |line| parse(line, &mut Context::default()).unwrap().is_part;
        assert!(part("2026-11-27T10:00:00Z stdout P half a"));
        assert!(!part("2026-11-27T10:00:00Z stdout F other half"));
    }

    #[test]
    fn a_file_s_name_says_which_container() {
        let id = "0123456789abcdef".repeat(4);
        for (path, container, unit) in [
            (
                "/var/log/pods/kube-system_proxy-x_uid-1/kube-proxy/0.log".to_owned(),
                "kube-proxy",
                "kube-system/proxy-x",
            ),
            (
                format!("/var/log/containers/proxy-x_kube-system_kube-proxy-{id}.log"),
                "kube-proxy",
                "kube-system/proxy-x",
            ),
            (
                format!("/var/lib/docker/containers/{id}/{id}-json.log"),
                "",
                "0123456789ab",
            ),
        ] {
            let found = name(Path::new(&path)).unwrap();
            assert_eq!((&*found.name, &*found.unit), (container, unit), "{path}");
        }
        assert_eq!(name(Path::new("/var/log/syslog")), None);
    }

    #[test]
    fn an_application_s_own_level_counts() {
        let expected = Some((Some(3), "volume lost".to_owned()));
        assert_eq!(
            refine("{\"level\":\"error\",\"msg\":\"volume lost\"}"),
            expected
        );
        assert_eq!(
            refine("E1127 10:00:00.123456    1 a.go:12] volume lost"),
            expected
        );
        assert_eq!(refine("level=error msg=\"volume lost\""), expected);
        assert_eq!(refine("volume lost"), None);
    }
}
