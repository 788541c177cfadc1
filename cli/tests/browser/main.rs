//! The page of `bellwether report` in a real browser: it loads nothing, moves nothing, and can be used without a mouse.

mod chromium;
#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use chromium::Chromium;
use serde_json::json;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
/// Sums up what has moved without the reader having done anything.
const WATCH_SHIFTS: &str = "window.shifted = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) \
    if (!entry.hadRecentInput) window.shifted += entry.value; }).observe({ type: 'layout-shift', buffered: true });";

/// Writes the page of these arguments into `folder`.
fn report(arguments: &[&str], folder: &Path) -> PathBuf {
    let out = folder.join("report.html");
    let out_text = out.to_str().unwrap();
    let report = ["report", "--set", "provisional_sec=0", "--out", out_text];
    common::stdout(&[&report[..], arguments].concat());
    out
}

#[test]
fn the_page_loads_nothing_and_fits_on_a_desk_and_on_a_phone_in_light_and_dark() {
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let long = folder
        .path()
        .join("compute-0017.rack-b.availability-zone-2.cloud.example.org.csv");
    fs::copy(Path::new(CASES).join("quiet-n03.csv"), &long).unwrap();
    let file = report(
        &[
            "--metrics",
            CASES,
            long.to_str().unwrap(),
            "--start",
            "2026-03-03",
        ],
        folder.path(),
    );
    browser.call(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({"source": WATCH_SHIFTS}),
    );
    let mut backgrounds = Vec::new();
    for (width, height) in [(1280, 900), (375, 812)] {
        for scheme in ["light", "dark"] {
            browser.wear(width, height, scheme);
            browser.open(&file);
            let place = format!("{width} pixels, {scheme}");
            assert_eq!(
                browser.evaluate("'ready' in document.documentElement.dataset"),
                true
            );
            let wide = browser.evaluate("document.documentElement.scrollWidth");
            assert!(
                wide.as_u64().unwrap() <= u64::from(width),
                "{place}: {wide} wide"
            );
            // Two frames, so that what is going to move has moved.
            browser.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(0))))");
            assert_eq!(browser.evaluate("window.shifted"), 0, "{place}");
            // What has arrived of a page may be too short for a scroll bar.
            let moved = browser.evaluate(
                "[false, true].map((short) => { for (const part of document.body.children) part.hidden = short; \
                 const { left, width } = document.body.getBoundingClientRect(); \
                 for (const part of document.body.children) part.hidden = false; \
                 return left + ' ' + width; }).reduce((long, short) => long !== short)",
            );
            assert_eq!(moved, false, "{place}: the scroll bar moves the page");
            let overlapping = browser.evaluate(
                "[...document.querySelectorAll('details[open] .axis')].flatMap((axis) => \
                 [...axis.querySelectorAll('text')].map((t) => t.getBoundingClientRect()) \
                 .filter((r, i, all) => i > 0 && r.width > 0 && r.left < all[i - 1].right)).length",
            );
            assert_eq!(overlapping, 0, "{place}: labels of an axis overlap");
            let cut = browser.evaluate(
                "[...document.querySelectorAll('.tile .name')].filter((n) => n.scrollWidth > n.clientWidth).length",
            );
            assert_eq!(cut, 0, "{place}: names of hosts are cut");
            backgrounds.push(browser.evaluate("getComputedStyle(document.body).backgroundColor"));
            let picture = browser.picture();
            assert!(picture.starts_with(b"\x89PNG"), "{place}");
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
            fs::write(kept.join(format!("report-{width}-{scheme}.png")), picture).unwrap();
        }
    }
    assert_eq!(backgrounds[0], backgrounds[2]);
    assert_ne!(backgrounds[0], backgrounds[1]);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
    let address = format!("file://{}", file.display());
    assert!(
        browser.requests.iter().all(|r| *r == address),
        "{:?}",
        browser.requests
    );
}

#[test]
fn everything_can_be_reached_and_read_with_the_keyboard() {
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = report(
        &["--metrics", CASES, "--start", "2026-03-03"],
        folder.path(),
    );
    browser.wear(1280, 900, "light");
    browser.open(&file);
    let focused = "document.activeElement.className";

    browser.press("Tab");
    assert_eq!(browser.evaluate(focused), "skip");
    browser.press("Tab");
    assert_eq!(browser.evaluate(focused), "theme");
    let outline = browser.evaluate("getComputedStyle(document.activeElement).outlineWidth");
    assert_eq!(outline, "3px", "the focus is visible");
    browser.press("Enter");
    assert_eq!(
        browser.evaluate("document.documentElement.dataset.theme"),
        "dark"
    );
    let dark = browser.evaluate("getComputedStyle(document.body).colorScheme");
    assert_eq!(dark, "dark");

    // The last host is a sound one, folded; its tile unfolds it and brings the focus there.
    let tiles = browser.evaluate("document.querySelectorAll('.tile').length");
    for _ in 0..tiles.as_u64().unwrap() {
        browser.press("Tab");
    }
    let id = browser.evaluate("document.activeElement.getAttribute('href').slice(1)");
    let is_open = format!("document.getElementById({id}).open");
    assert_eq!(browser.evaluate(&is_open), false);
    browser.press("Enter");
    browser.evaluate("new Promise((r) => setTimeout(() => r(0), 50))");
    assert_eq!(browser.evaluate(&is_open), true);
    let inside = "document.activeElement.closest('details').id";
    assert_eq!(browser.evaluate(inside), id);

    // From there to its series, whose values the arrow keys read.
    for _ in 0..3 {
        browser.press("Tab");
        if browser.evaluate("document.activeElement.classList.contains('view')") == true {
            break;
        }
    }
    let output = "document.activeElement.querySelector('output').textContent";
    let idle = browser.evaluate(output);
    browser.press("ArrowRight");
    let first = browser.evaluate(output);
    browser.press("ArrowRight");
    let second = browser.evaluate(output);
    assert!(second.as_str().unwrap().contains("score"), "{second}");
    assert!(first != idle && second != first, "{first} {second}");
    let value =
        browser.evaluate("document.activeElement.querySelector('li .name small').textContent");
    assert!(value.as_str().unwrap().starts_with("= "), "{value}");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn what_the_data_say_is_never_run() {
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let hostile = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>";
    let log = folder.path().join("host.log");
    let mut lines = String::new();
    for second in 0..20 {
        lines += &format!(
            "2024-02-05T12:00:{second:02}Z host kernel: Buffer I/O error on dev {hostile} block {second}\n"
        );
    }
    fs::write(&log, lines).unwrap();
    let metrics = folder.path().join("hv.csv");
    let rows: String = (0..80)
        .map(|t| format!("{t},{},{}\n", 10 + t % 3, 20 + t % 5))
        .collect();
    fs::write(
        &metrics,
        format!("t,{hostile},\"><svg onload=window.pwned=1>\n{rows}"),
    )
    .unwrap();
    let (log, metrics) = (log.to_str().unwrap(), metrics.to_str().unwrap());
    let arguments = ["--metrics", metrics, "--logs", log, "--title", hostile];
    let file = report(&arguments, folder.path());
    browser.open(&file);
    browser.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
    assert_eq!(browser.evaluate("window.pwned === undefined"), true);
    assert_eq!(
        browser.evaluate("document.querySelectorAll('img').length"),
        0
    );
    let seen =
        browser.evaluate("document.body.innerText.includes('<img src=x onerror=window.pwned=1>')");
    assert_eq!(seen, true);
    // The policy holds even where something got in: nothing that was added runs.
    browser.evaluate(
        "{ const script = document.createElement('script'); script.textContent = 'window.pwned = 1'; document.body.append(script); }",
    );
    assert_eq!(browser.evaluate("window.pwned === undefined"), true);
}
