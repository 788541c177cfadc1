//! Maintenance windows: from a file that changes while collectd runs, and from notifications.

use std::fs;

use bellwether_tests::collectd::{Collectd, Setup};

use super::*;

/// Within the window, and after it.
const FAULTS: [std::ops::Range<usize>; 2] = [420..480, 900..1000];
const WINDOW: [usize; 2] = [400, 490];
const END: usize = 1000;

/// The commands of eight VMs of "hv0" that have both faults, for the ticks before the window and for the rest.
fn with_faults(seed: u64) -> [Vec<String>; 2] {
    let factor = |tick: usize| {
        let fails = FAULTS.iter().any(|fault| fault.contains(&tick));
        if fails { 2.0 } else { 1.0 }
    };
    let all = samples(&mut Guests::new(8, seed), 0..END, factor);
    let (before, rest): (Vec<Sample>, Vec<Sample>) =
        all.into_iter().partition(|sample| sample.tick < WINDOW[0]);
    [before, rest].map(|samples| commands("hv0", &samples))
}

/// Waits for a line of the log.
fn logged(collectd: &Collectd, text: &str) -> Result<()> {
    collectd.wait(text, || collectd.log().contains(text))
}

/// The ticks at which incidents were raised.
fn raised_at(collectd: &Collectd) -> Vec<usize> {
    let events = collectd.events();
    let raised = events.iter().filter(|e| e.get("state") == "raised");
    raised
        .map(|e| ((e.time() - START) / INTERVAL).round() as usize)
        .collect()
}

#[test]
fn a_fault_within_a_window_of_the_mask_file_is_not_told_and_one_after_it_is() -> Result<()> {
    needs_collectd!();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("masks");
    let collectd = Collectd::start(&Setup::with(&format!("MaskFile \"{}\"", file.display())))?;
    logged(
        &collectd,
        "masks: there is no such file, so no maintenance window of it",
    )?;
    let [before, rest] = with_faults(31);
    collectd.send(before)?;
    collectd.wait_judged("hv0", time(WINDOW[0] - 3))?;

    // While it runs; the window has begun by the wall clock as well, and goes on by it.
    let lines = format!(
        "hv0 {} {}  # kernel\nhv0 now +2h\nelsewhere-* 2020-01-01T00:00:00Z 2120-01-01T00:00:00+01:00\n",
        time(WINDOW[0]),
        time(WINDOW[1])
    );
    fs::write(&file, lines)?;
    logged(
        &collectd,
        "masks: line 2: the start \"now\" would be another time whenever the file is read",
    )?;
    logged(&collectd, "masks: 2 maintenance windows")?;
    let begun = "maintenance of elsewhere-* until 2119-12-31T23:00:00Z: nothing is learned or reported about it";
    logged(&collectd, begun)?;

    collectd.send(rest)?;
    collectd.wait_judged("hv0", time(END - 3))?;
    let raised = raised_at(&collectd);
    assert!(
        raised.len() == 1 && (FAULTS[1].start..FAULTS[1].start + 20).contains(&raised[0]),
        "{raised:?}"
    );
    let values = &collectd.values()["hv0/gauge-masked"];
    let masked = |tick: usize| {
        let found = values.iter().find(|(at, _)| *at >= time(tick) - 1.0);
        found.map(|(_, value)| *value)
    };
    let at = [WINDOW[0] - 50, WINDOW[0] + 20, WINDOW[1], WINDOW[1] + 100];
    assert_eq!(at.map(masked), [0.0, 1.0, 1.0, 0.0].map(Some));

    fs::remove_file(&file)?;
    logged(
        &collectd,
        "maintenance of elsewhere-* was ended early; it is watched again",
    )?;
    assert_eq!(collectd.log().matches("there is no such file").count(), 2);
    Ok(())
}

#[test]
fn notifications_mask_a_hypervisor_only_where_that_is_configured() -> Result<()> {
    needs_collectd!();
    let notification = |message: &str| {
        format!(
            "PUTNOTIF message=\"{message}\" severity=okay time={START} host=hv0 plugin=bellwether type=maintenance"
        )
    };
    let mut raised = Vec::new();
    for lines in ["", "MaskNotifications true"] {
        let collectd = Collectd::start(&Setup::with(lines))?;
        let [before, rest] = with_faults(32);
        collectd.send(before)?;
        collectd.send([
            notification("now +2h"),
            notification(&format!("{} {}", time(WINDOW[0]), time(WINDOW[1]))),
        ])?;
        collectd.send(rest)?;
        collectd.wait_judged("hv0", time(END - 3))?;
        let is_refused = collectd.log().contains(
            "the notification about the maintenance of \"hv0\" is ignored: the start \"now\" would be another time",
        );
        assert_eq!(is_refused, !lines.is_empty(), "{}", collectd.log());
        raised.push(raised_at(&collectd));
    }
    assert!(
        // What was learned from the first fault may hide the second.
        raised[0]
            .first()
            .is_some_and(|tick| FAULTS[0].contains(tick)),
        "{raised:?}"
    );
    assert!(
        raised[1].len() == 1 && FAULTS[1].contains(&raised[1][0]),
        "{raised:?}"
    );
    Ok(())
}

#[test]
fn windows_of_notifications_survive_a_restart_and_those_of_the_file_follow_it() -> Result<()> {
    needs_collectd!();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("masks");
    fs::write(&file, "filed 2020-01-01T00:00:00Z +36500d\n")?;
    let lines = format!(
        "StateFile \"state\"\nMaskNotifications true\nMaskFile \"{}\"",
        file.display()
    );
    let mut collectd = Collectd::start(&Setup::with(&lines))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    collectd.send([format!(
        "PUTNOTIF message=\"{now} +1d\" severity=okay time={now} host=notified plugin=bellwether type=maintenance"
    )])?;
    logged(&collectd, "maintenance of notified until ")?;
    logged(&collectd, "maintenance of filed until ")?;
    collectd.stop()?;
    fs::write(&file, "other 2020-01-01T00:00:00Z +36500d\n")?;
    collectd.start_again()?;
    logged(&collectd, "maintenance of notified until ")?;
    logged(&collectd, "maintenance of other until ")?;
    Ok(())
}
