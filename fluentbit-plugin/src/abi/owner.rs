//! Whose processor a filter is.
//!
//! A filter of the pipeline has a name of its own. One that is a processor of an input or output has not: all are called the same,
//! and the host offers no way to ask whose they are. That is found by following pointers, none of which is trusted: memory is read
//! by a system call that fails where there is none, and what is found counts only where the chain closes, from the filter to its
//! unit, which points back to it, to the processor, which points to the configuration, to an input or output that the
//! host itself lists. Where it does not close, nothing is found.

use std::ffi::{c_char, c_int, c_void};

use super::Handle;
use super::program::symbol;

/// Words of a structure that are searched: 2.2 to 5.1 have what is needed within 21.
const WORDS: usize = 32;

/// Words of a processor's unit: the pointer to the processor is the 14th up to 3.x and the 15th since.
const UNIT_WORDS: usize = 16;

/// Maximum number of inputs, or outputs, that are searched.
const INSTANCES_MAX: c_int = 4096;

type Get = unsafe extern "C" fn(Handle, c_int) -> Handle;
type Name = unsafe extern "C" fn(Handle) -> *const c_char;

/// The words at an address; those that cannot be read are zero.
fn words(address: usize) -> [usize; WORDS] {
    let mut words = [0; WORDS];
    let bytes = size_of_val(&words);
    let local = libc::iovec {
        iov_base: words.as_mut_ptr().cast(),
        iov_len: bytes,
    };
    let remote = libc::iovec {
        iov_base: address as *mut c_void,
        iov_len: bytes,
    };
    if address != 0 && address.is_multiple_of(size_of::<usize>()) {
        // SAFETY: the local part is the array; the system checks the remote one, which is this process's memory.
        unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    }
    words
}

/// The inputs, or outputs, of a pipeline, by the host's own list.
///
/// # Safety
/// `config` is the pipeline's configuration, which has one of them at least.
unsafe fn instances(get: &std::ffi::CStr, config: Handle) -> Vec<Handle> {
    let Some(get) = symbol(get) else {
        return Vec::new();
    };
    // SAFETY: the two functions that are asked for have had this type from 2.2 to 5.1.
    let get: Get = unsafe { std::mem::transmute(get) };
    (0..INSTANCES_MAX)
        // SAFETY: as the caller promises.
        .map(|id| unsafe { get(config, id) })
        .take_while(|instance| !instance.is_null())
        .collect()
}

/// The inputs of a pipeline.
///
/// # Safety
/// `config` is the configuration of a pipeline with an input, as a callback was given it.
pub unsafe fn inputs(config: Handle) -> Vec<Handle> {
    // SAFETY: as the caller promises.
    unsafe { instances(c"flb_input_get_instance", config) }
}

/// The name of the input or output whose processor a filter is; `None` where it is a filter of the pipeline, or that cannot be
/// found out.
///
/// # Safety
/// `instance` and `config` are what the host passed to `cb_init` of the filter.
pub unsafe fn owner(instance: Handle, config: Handle) -> Option<String> {
    let (filter, configuration) = (instance as usize, config as usize);
    let mut units = words(filter).into_iter().map(words);
    let unit = units.find(|unit| unit.contains(&filter))?;
    // The processor is the last that a unit points to. The filter points to the configuration too.
    let processors = unit[..UNIT_WORDS]
        .iter()
        .rev()
        .map(|&address| words(address));
    let mut processors = processors.filter(|processor| !processor.contains(&filter));
    // Its owner stands before the configuration in all versions; what is behind that is something else's memory.
    let processor = processors.find_map(|processor| {
        let end = processor.iter().position(|&word| word == configuration)?;
        Some(processor[..end].to_vec())
    })?;
    for (list, name) in [
        (c"flb_input_get_instance", c"flb_input_name"),
        (c"flb_output_get_instance", c"flb_output_name"),
    ] {
        // SAFETY: as the caller promises; a processor that is not an input's is an output's, so there is one.
        let known = unsafe { instances(list, config) };
        let mut words = processor.iter().map(|&word| word as Handle);
        let owner = words.find(|word| known.contains(word));
        if let (Some(owner), Some(name)) = (owner, symbol(name)) {
            // SAFETY: the two functions have had this type from 2.2 to 5.1.
            let name: Name = unsafe { std::mem::transmute(name) };
            // SAFETY: the host lists the instance, to which the name belongs.
            return unsafe { super::program::text(name(owner)) };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_where_there_is_any() {
        let there: Vec<usize> = (1..=WORDS).collect();
        assert_eq!(words(there.as_ptr() as usize).as_slice(), there);
        assert_eq!(words(0), [0; WORDS]);
        assert_eq!(words(8), [0; WORDS]);
        assert_eq!(words(usize::MAX - 7), [0; WORDS]);
    }

    #[test]
    fn a_filter_that_points_to_nothing_known_has_no_owner() {
        let mut filter = [7usize, 8, 16, usize::MAX, 0];
        let instance: Handle = filter.as_mut_ptr().cast();
        // SAFETY: the memory is read by the system, and this program has no function of the host's.
        assert_eq!(unsafe { owner(instance, instance) }, None);
    }
}
