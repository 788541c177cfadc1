//! Reading several things at a time, such as files, and showing how far it is.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Result;
pub use indicatif::ProgressBar;
use indicatif::ProgressStyle;

/// A progress bar on the standard error, drawn only where that is a terminal. `what` names the things that are counted.
pub fn bar(length: usize, what: &str) -> ProgressBar {
    let template = format!("{{bar:40}} {{pos}}/{{len}} {what}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("the template is valid");
    ProgressBar::new(length as u64).with_style(style)
}

/// Reads `items`, such as files, `jobs` at a time (default: the number of cores), and hands the results to `each` in the order of the
/// items, each as soon as those before it are done.
///
/// # Errors
/// The first error of `read` or `each`.
pub fn each_in_order<I: Sync, T: Send>(
    items: &[I],
    jobs: Option<NonZeroUsize>,
    bar: &ProgressBar,
    read: impl Fn(&I) -> Result<T> + Sync,
    mut each: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let jobs = jobs
        .or_else(|| thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
        .min(items.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..jobs {
            let (sender, next, read) = (sender.clone(), &next, &read);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    // The receiver is gone after an error: nobody wants the rest.
                    if sender.send((at, read(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut done = 0;
        for (at, result) in receiver {
            waiting.insert(at, result);
            while let Some(result) = waiting.remove(&done) {
                each(result?)?;
                bar.inc(1);
                done += 1;
            }
        }
        Ok::<_, anyhow::Error>(())
    })?;
    bar.finish_and_clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::ensure;
    use std::time::Duration;

    fn items() -> Vec<String> {
        (0..8).map(|n| n.to_string()).collect()
    }

    fn number(item: &str) -> Result<u64> {
        Ok(item.parse()?)
    }

    #[test]
    fn results_come_in_the_order_of_the_files_whichever_is_done_first() {
        for jobs in [1, 3, 8] {
            let mut seen = Vec::new();
            let read = |item: &String| {
                let number = number(item)?;
                thread::sleep(Duration::from_millis(8 - number));
                Ok(number)
            };
            let each = |number| {
                seen.push(number);
                Ok(())
            };
            each_in_order(
                &items(),
                NonZeroUsize::new(jobs),
                &bar(8, "files"),
                read,
                each,
            )
            .unwrap();
            assert_eq!(seen, (0..8).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_ends_it_after_the_results_before() {
        let mut seen = Vec::new();
        let read = |item: &String| {
            let number = number(item)?;
            ensure!(number != 5, "five");
            Ok(number)
        };
        let each = |number| {
            seen.push(number);
            Ok(())
        };
        let error = each_in_order(&items(), None, &bar(8, "files"), read, each).unwrap_err();
        assert_eq!(error.to_string(), "five");
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}
