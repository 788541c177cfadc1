//! Links the plugin so that the host may unload it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The host unloads plugins at its exit and at a failed start; the plugin's statics and the core stay where they are.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
