//! Questions of LAD about templates, and answers.

use std::ffi::c_char;

use bellwether_core::inference::Family;
use bellwether_core::lad::Question;

use crate::border::{
    Failure, Growable, Handle, Input, any_text, fallible, free, growable, guard, text,
};
use crate::detector::bw_detector;
use crate::error::{bw_error, bw_result};
use crate::lad::{Lad, input_verdict, verdict};
use crate::string::bw_string;

/// A template that the lexicon leaves open, for an operator or a language model to classify. Independent of its detector; its
/// strings live as long as it.
pub struct bw_question(Question);

impl Handle for bw_question {
    const NAME: &'static str = "bw_question";
}

/// What a question is about.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_question_info {
    /// Set by the caller to `sizeof(bw_question_info)`.
    pub size: usize,
    /// Identifies it in `bw_lad_answer`.
    pub id: u64,
    /// The stream that it is from.
    pub stream: bw_string,
    /// The number of the template within that stream.
    pub template_id: u64,
    /// The template, at most 300 bytes: parameters are placeholders such as `<:NUM:>`.
    pub template_text: bw_string,
    /// The program that wrote its last record; empty if unknown.
    pub program: bw_string,
    /// Number of records of the template so far.
    pub count: u64,
    /// Number of templates of the stream that are normal, to compare with; at most eight. `bw_question_benign` gives them.
    pub benign_count: usize,
}

growable!(bw_question_info, 88);

/// Gives the oldest question that was not fetched yet, or NULL if there is none. There are questions only with the option
/// "questions" above 0: one for each template that completes an unknown window after training and reports nothing that the lexicon
/// knows. To be freed by `bw_question_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_next_question(lad: *mut bw_detector) -> *mut bw_question {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_detector::exclusive(lad) }.ok()?;
        let next = lad.change(|lad: &mut Lad| lad.0.next_question()).ok()??;
        Some(bw_question(next).give())
    };
    guard(None, body).unwrap_or(std::ptr::null_mut())
}

/// Frees `question`. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_question_free(question: *mut bw_question) {
    // SAFETY: passed on to the caller.
    unsafe { free(question) };
}

/// Gives what the question is about in `*info`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_question_describe(
    question: *const bw_question,
    info: *mut bw_question_info,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a question that it has not freed.
        let bw_question(question) = unsafe { bw_question::shared(question) }?;
        let described = bw_question_info {
            size: size_of::<bw_question_info>(),
            id: question.id,
            stream: bw_string::of(&question.stream),
            template_id: question.template_id,
            template_text: bw_string::of(&question.template),
            program: bw_string::of(&question.program),
            count: question.count,
            benign_count: question.benign.len(),
        };
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { described.write(info) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// A normal template of the question's stream; none if `index` is not below `benign_count`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_question_benign(
    question: *const bw_question,
    index: usize,
) -> bw_string {
    guard(bw_string::NONE, || {
        // SAFETY: the caller passes NULL or a question that it has not freed.
        let Ok(bw_question(question)) = (unsafe { bw_question::shared(question) }) else {
            return bw_string::NONE;
        };
        bw_string::optional(question.benign.get(index).map(String::as_str))
    })
}

/// The family by that name; `None` if the name is empty.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn family(name: *const c_char, size: usize) -> Result<Option<Family>, Failure> {
    if name.is_null() || size == 0 {
        return Ok(None);
    }
    // SAFETY: passed on to the caller.
    let name = unsafe { text(name, size, "family") }?;
    Family::from_name(name).map(Some).ok_or_else(|| {
        let names = Family::ALL.map(Family::as_str).join(", ");
        Failure::argument(format!(
            "family is \"{name}\"; it must be empty or one of {names}"
        ))
    })
}

/// Answers a question, which takes effect as `bw_lad_feedback` does. `BW_LAD_VERDICT_NONE` leaves it open whether the template
/// reports a failure, for good. A language model answers `BW_LAD_VERDICT_LIKELY_FAILURE`, with a family if it gives one, or
/// `BW_LAD_VERDICT_LIKELY_BENIGN`: it can be wrong, or be misled by who wrote the record. `BW_NOT_FOUND` if there is no such
/// question (any more).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_answer(
    lad: *mut bw_detector,
    question_id: u64,
    answer: input_verdict,
    family_name: *const c_char,
    family_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_detector::exclusive(lad) }?;
        // SAFETY: the caller passes NULL or that many bytes.
        let answer = verdict(answer, unsafe { family(family_name, family_len) }?)?;
        if lad.change(|lad: &mut Lad| lad.0.answer(question_id, answer))? {
            return Ok(());
        }
        Err(Failure::not_found(format!(
            "there is no question {question_id} that was fetched and not answered"
        )))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// A verdict on a template by its text.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_lad_text_feedback {
    /// Set by the caller to `sizeof(bw_lad_text_feedback)`.
    pub size: usize,
    /// The stream; none for all streams.
    pub stream: bw_string,
    /// The template, as in an event or a question; `<:*:>` in it stands for any word.
    pub template_text: bw_string,
    /// The family of a `BW_LAD_VERDICT_LIKELY_FAILURE`, if known.
    pub family: bw_string,
    /// The verdict.
    pub verdict: input_verdict,
}

growable!(bw_lad_text_feedback, 64);

// SAFETY: any bytes are sizes, pointers and numbers.
unsafe impl Input for bw_lad_text_feedback {}

/// Applies a verdict on a template by its text, and gives in `*applied`, which may be NULL, to how many templates. With a stream,
/// as `bw_lad_feedback` does. Without, it holds for all streams, also for templates and streams that are still to come; at most
/// 1024 such verdicts are kept, the newest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_feedback_by_text(
    lad: *mut bw_detector,
    feedback: *const bw_lad_text_feedback,
    applied: *mut usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_detector::exclusive(lad) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        let f = unsafe { bw_lad_text_feedback::read(feedback) }?;
        // SAFETY: each string of the struct is NULL or has as many bytes as it says.
        let (stream, template, family) = unsafe {
            let stream = match f.stream.data.is_null() {
                true => None,
                false => {
                    let what = "bw_lad_text_feedback.stream";
                    Some(text(f.stream.data, f.stream.size, what)?)
                }
            };
            let what = "bw_lad_text_feedback.template_text";
            let template = any_text(f.template_text.data, f.template_text.size, what)?;
            (stream, template, family(f.family.data, f.family.size)?)
        };
        if template.is_empty() {
            return Err(Failure::argument(
                "bw_lad_text_feedback.template_text is empty; it must be a template",
            ));
        }
        let verdict = verdict(f.verdict, family)?;
        let count =
            lad.change(|lad: &mut Lad| lad.0.feedback_by_text(stream, &template, verdict))?;
        if !applied.is_null() {
            // SAFETY: it is not NULL, so the caller passes a place for a number.
            unsafe { applied.write_unaligned(count) };
        }
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
