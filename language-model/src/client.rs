//! The client: exam, cache, budget, batches with canaries, repetitions.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use bellwether_core::units::Time;
use fastrand::Rng;
use jiff::Timestamp;

use crate::backoff::Backoff;
use crate::budget::{Budget, Spent};
use crate::cache::{self, Cache, CacheKey};
use crate::endpoint::Endpoint;
use crate::exam::{EXAM, FAILING_CANARIES, Known, NORMAL_CANARIES, PASSES};
use crate::notice::{Counters, Notice, Notices};
use crate::prompt::{self, Form, Item, REQUEST_MAX};
use crate::question::{Answer, Origin, Question, Verdict};
use crate::reply::{self, Fault, Said};
use crate::settings::{Error, Settings};

/// Number of templates with known verdicts in each batch of questions.
const CANARIES: usize = 2;
/// Maximum number of questions in a batch.
const BATCH_MAX: usize = REQUEST_MAX - CANARIES;
/// Maximum number of requests for a batch if the server fails, and if the model's reply cannot be used.
const ATTEMPTS: u32 = 3;
const ATTEMPTS_OF_MODEL: u32 = 2;
/// An exam holds for this long, in seconds.
const EXAM_SEC: f64 = 86_400.0;
/// The identifiers in a request: random numbers of three digits, which no log can name in advance.
const IDS: std::ops::Range<u32> = 100..1000;

/// Asks a language model about log templates.
pub struct Client {
    settings: Settings,
    endpoint: Endpoint,
    form: Form,
    backoff: Backoff,
    budget: Budget,
    cache: Cache,
    /// The last exam that was held.
    exam: Option<Exam>,
    rng: Rng,
    canaries: [Rotation; CANARIES],
    notices: Notices,
    counters: Counters,
}

#[derive(Debug, Clone, Copy)]
struct Exam {
    time: Time,
    is_passed: bool,
}

/// Why there is no reply.
enum Unanswered {
    /// Requests failed.
    Fault(Fault),
    /// The next request may not be sent before the time is up.
    Paused,
    /// No request is left for today.
    Budget,
}

/// A template that is asked about once for all questions that have it.
struct Open {
    key: CacheKey,
    /// The questions, by their places.
    questions: Vec<usize>,
}

/// Known templates in a random order, again and again.
struct Rotation {
    known: Vec<Known>,
    next: usize,
}

impl Rotation {
    fn new(known: &[Known], rng: &mut Rng) -> Self {
        let mut known = known.to_vec();
        rng.shuffle(&mut known);
        Self { known, next: 0 }
    }

    fn turn(&mut self) -> Known {
        let known = self.known[self.next % self.known.len()];
        self.next += 1;
        known
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("model", &self.settings.model)
            .field("exam", &self.exam)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client that has asked nothing yet. Sends nothing.
    ///
    /// # Errors
    /// A setting that cannot be used, and a cache file that can neither be read nor set aside.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        let endpoint = Endpoint::new(&settings)?;
        let (cache, notice) = Cache::open(&settings)?;
        let mut notices = Notices::default();
        if let Some(notice) = notice {
            notices.put(notice);
        }
        let mut rng = Rng::with_seed(settings.seed);
        Ok(Self {
            endpoint,
            form: Form::Schema,
            backoff: Backoff::default(),
            budget: Budget::default(),
            cache,
            exam: None,
            canaries: [
                Rotation::new(&FAILING_CANARIES, &mut rng),
                Rotation::new(&NORMAL_CANARIES, &mut rng),
            ],
            rng,
            notices,
            counters: Counters::default(),
            settings,
        })
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.settings.model
    }

    /// Takes what an operator should know since the last call.
    pub fn notices(&mut self) -> Vec<Notice> {
        self.notices.take()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Answers `questions`, in their order. `now` is the time of day, for daily exams and budgets.
    ///
    /// Blocks for [`total_timeout`](Settings::total_timeout) at most. What is not answered by then, or cannot be for another reason,
    /// is [`Verdict::Unknown`] from [`Origin::Nobody`], and a notice says why.
    pub fn ask(&mut self, now: Time, questions: &[Question<'_>]) -> Vec<Answer> {
        let deadline = Instant::now() + self.settings.total_timeout;
        self.budget.at(now);
        self.counters.questions += questions.len() as u64;
        let mut answers = vec![Answer::NONE; questions.len()];
        let open = self.answer_cached(questions, &mut answers);
        if open.is_empty() {
            return answers;
        }
        let count = open.iter().map(|open| open.questions.len()).sum();
        match self.examine(now, deadline) {
            Ok(true) => self.ask_all(now, deadline, questions, &open, &mut answers),
            Ok(false) => self.counters.voided += count as u64,
            Err(Unanswered::Fault(fault)) => self.notices.put(Notice::ExamNotHeld(fault)),
            Err(other) => self.leave(other, count),
        }
        if let Some(notice) = self.cache.save() {
            self.notices.put(notice);
        }
        answers
    }

    /// Answers what the cache knows; returns the others, each template once.
    fn answer_cached(&mut self, questions: &[Question<'_>], answers: &mut [Answer]) -> Vec<Open> {
        let mut open: Vec<Open> = Vec::new();
        let mut places: HashMap<CacheKey, usize> = HashMap::new();
        for (at, question) in questions.iter().enumerate() {
            let template = prompt::neutral(question.template);
            let program = prompt::program(question.program);
            let key = cache::key(&self.settings, &template, &program);
            if let Some((verdict, family)) = self.cache.get(&key) {
                self.counters.cached += 1;
                answers[at] = Answer {
                    verdict,
                    family,
                    origin: Origin::Cache,
                };
                continue;
            }
            let place = *places.entry(key).or_insert(open.len());
            match open.get_mut(place) {
                Some(open) => open.questions.push(at),
                None => open.push(Open {
                    key,
                    questions: vec![at],
                }),
            }
        }
        open
    }

    /// Asks about all of `open`, a batch at a time.
    fn ask_all(
        &mut self,
        now: Time,
        deadline: Instant,
        questions: &[Question<'_>],
        open: &[Open],
        answers: &mut [Answer],
    ) {
        let count = |open: &[&Open]| open.iter().map(|open| open.questions.len()).sum();
        let mut open: Vec<&Open> = open.iter().collect();
        while !open.is_empty() {
            if let Err(unanswered) = self.may_send(deadline) {
                self.leave(unanswered, count(&open));
                return;
            }
            let mut batch: Vec<&Open> = Vec::new();
            let mut taken = 0;
            for one in &open {
                if batch.len() == BATCH_MAX {
                    break;
                }
                taken += 1;
                let templates = one.questions.len() as u64;
                let host = questions[one.questions[0]].host;
                match self.budget.take_template(&self.settings, host) {
                    Ok(()) => batch.push(one),
                    Err(spent) => {
                        self.counters.over_budget += templates;
                        self.notices.put(match spent {
                            Spent::Host => Notice::HostBudget { templates },
                            Spent::Fleet => Notice::Budget { templates },
                        });
                    }
                }
            }
            open.drain(..taken);
            if batch.is_empty() {
                continue;
            }
            let templates = count(&batch);
            match self.ask_batch(now, deadline, questions, &batch) {
                Ok(Some(said)) => {
                    self.counters.answered += templates as u64;
                    for (one, said) in batch.iter().zip(said) {
                        self.cache.put(one.key, said);
                        for &at in &one.questions {
                            answers[at] = Answer {
                                verdict: said.0,
                                family: said.1,
                                origin: Origin::Model,
                            };
                        }
                    }
                }
                Ok(None) => {
                    let templates = templates as u64;
                    self.counters.canaries_wrong += 1;
                    self.counters.voided += templates;
                    self.notices.put(Notice::CanaryWrong { templates });
                }
                Err(Unanswered::Fault(fault)) if fault.is_of_model() => {
                    self.leave(Unanswered::Fault(fault), templates);
                }
                // The server will not answer the next batch either.
                Err(unanswered) => {
                    self.leave(unanswered, templates + count(&open));
                    return;
                }
            }
        }
    }

    /// Counts and reports questions without an answer.
    fn leave(&mut self, unanswered: Unanswered, templates: usize) {
        let templates = templates as u64;
        self.notices.put(match unanswered {
            Unanswered::Fault(fault) => Notice::NoReply { fault, templates },
            Unanswered::Paused => Notice::Paused { templates },
            Unanswered::Budget => {
                self.counters.over_budget += templates;
                Notice::Budget { templates }
            }
        });
    }

    /// Asks about one batch with canaries in it; `None` if a canary is wrong.
    fn ask_batch(
        &mut self,
        now: Time,
        deadline: Instant,
        questions: &[Question<'_>],
        batch: &[&Open],
    ) -> Result<Option<Vec<Said>>, Unanswered> {
        let mut ids = self.ids(batch.len() + CANARIES).into_iter();
        let mut hosts: Vec<&str> = Vec::new();
        let mut items: Vec<Item<'_>> = Vec::with_capacity(batch.len() + CANARIES);
        for (one, id) in batch.iter().zip(&mut ids) {
            let question = &questions[one.questions[0]];
            let mut group = 0;
            let mut normal: &[String] = &[];
            if !self.settings.zero_shot {
                // Hosts share nothing but the request: the normal templates of one are no example for another.
                group = hosts
                    .iter()
                    .position(|host| *host == question.host)
                    .unwrap_or(hosts.len());
                if group == hosts.len() {
                    hosts.push(question.host);
                }
                normal = question.benign;
            }
            items.push(Item {
                id,
                group,
                program: question.program,
                template: question.template,
                count: question.count,
                normal,
            });
        }
        let canaries = self.canaries.each_mut().map(Rotation::turn);
        for (canary, id) in canaries.iter().zip(ids) {
            // Nothing distinguishes it from a question.
            let like = items[self.rng.usize(..batch.len())];
            items.push(known_item(canary, id, like.group, like.count));
        }
        let mut order: Vec<usize> = (0..items.len()).collect();
        self.rng.shuffle(&mut order);
        let shuffled: Vec<Item<'_>> = order.iter().map(|&at| items[at]).collect();
        let replies = self.exchange(now, deadline, &shuffled)?;
        let mut said = vec![(Verdict::Unknown, None); items.len()];
        for (&at, reply) in order.iter().zip(replies) {
            said[at] = reply;
        }
        let of_canaries = said.split_off(batch.len());
        let are_right = canaries
            .iter()
            .zip(of_canaries)
            .all(|(canary, (verdict, _))| canary.verdict == verdict);
        Ok(are_right.then_some(said))
    }

    /// Holds the exam if it is due, and returns whether the last one was passed.
    fn examine(&mut self, now: Time, deadline: Instant) -> Result<bool, Unanswered> {
        let before = self.exam;
        if let Some(exam) = before
            && now.seconds_since(exam.time).abs() < EXAM_SEC
        {
            return Ok(exam.is_passed);
        }
        let mut order: Vec<&Known> = EXAM.iter().collect();
        self.rng.shuffle(&mut order);
        let mut right = 0;
        for half in order.chunks(EXAM.len() / 2) {
            let ids = self.ids(half.len());
            let items = half.iter().zip(ids);
            let items: Vec<Item<'_>> = items
                .map(|(known, id)| known_item(known, id, 0, 1))
                .collect();
            match self.exchange(now, deadline, &items) {
                Ok(said) => {
                    let pairs = half.iter().zip(said);
                    right += pairs
                        .filter(|(known, said)| known.verdict == said.0)
                        .count();
                }
                // No answer is a wrong one, if it is the model that gives none.
                Err(Unanswered::Fault(fault)) if fault.is_of_model() => {}
                Err(unanswered) => return Err(unanswered),
            }
        }
        let is_passed = right >= PASSES;
        self.exam = Some(Exam {
            time: now,
            is_passed,
        });
        self.counters.exams += 1;
        if !is_passed {
            self.counters.exams_failed += 1;
            self.notices.put(Notice::ExamFailed { right });
        } else if before.is_some_and(|exam| !exam.is_passed) {
            self.notices.put(Notice::ExamPassed);
        }
        Ok(is_passed)
    }

    /// Different random identifiers.
    fn ids(&mut self, count: usize) -> Vec<u32> {
        self.rng.choose_multiple(IDS, count)
    }

    /// Whether a request can be sent before `deadline`; returns how long to wait until then.
    fn may_send(&self, deadline: Instant) -> Result<Duration, Unanswered> {
        if !self.budget.has_request(&self.settings) {
            return Err(Unanswered::Budget);
        }
        let now = Instant::now();
        let wait = self.backoff.wait(now);
        match wait < deadline.saturating_duration_since(now) {
            true => Ok(wait),
            false => Err(Unanswered::Paused),
        }
    }

    /// Sends a request for `items`, several times if necessary, and returns what was said of each.
    fn exchange(
        &mut self,
        now: Time,
        deadline: Instant,
        items: &[Item<'_>],
    ) -> Result<Vec<Said>, Unanswered> {
        let mut attempts = 0;
        let mut last = None;
        loop {
            let wait = match self.may_send(deadline) {
                Ok(wait) => wait,
                // What went wrong says more than that there is no time left.
                Err(Unanswered::Paused) => {
                    return Err(last.map_or(Unanswered::Paused, Unanswered::Fault));
                }
                Err(other) => return Err(other),
            };
            std::thread::sleep(wait);
            self.budget.take_request(&self.settings);
            self.counters.requests += 1;
            let request = prompt::request(&self.settings.model, items, self.form).to_string();
            let timeout = deadline.saturating_duration_since(Instant::now());
            let timeout = timeout
                .min(self.settings.request_timeout)
                .max(Duration::from_millis(1));
            let response = self.endpoint.post(&request, timeout, timestamp(now));
            let said = response.and_then(|body| Ok(reply::read(&body, items)?));
            let failure = match said {
                Ok(said) => {
                    self.backoff.succeeded();
                    return Ok(said);
                }
                Err(failure) => failure,
            };
            self.counters.failed_requests += 1;
            if let Some(form) = self.form.next().filter(|_| failure.is_about_form) {
                self.form = form;
                self.notices.put(Notice::NoSchema);
                continue;
            }
            let fault = failure.fault;
            let is_final = !fault.is_temporary();
            let pause = match is_final {
                true => Some(self.settings.pause_max),
                false => failure.retry_after,
            };
            let (first, max) = (self.settings.pause, self.settings.pause_max);
            self.backoff.failed(Instant::now(), first, max, pause);
            attempts += 1;
            let most = match fault.is_of_model() {
                true => ATTEMPTS_OF_MODEL,
                false => ATTEMPTS,
            };
            if is_final || attempts >= most {
                return Err(Unanswered::Fault(fault));
            }
            last = Some(fault);
        }
    }
}

fn known_item(known: &Known, id: u32, group: usize, count: u64) -> Item<'static> {
    Item {
        id,
        group,
        program: known.program,
        template: known.template,
        count,
        normal: &[],
    }
}

fn timestamp(time: Time) -> Timestamp {
    Timestamp::from_second(time.secs() as i64).unwrap_or_default()
}
