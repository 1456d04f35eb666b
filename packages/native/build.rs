fn main() {
    // Kernels and pool alone have no use for what a library of Node is linked with: on Windows, GNU's linker would be given Node's own.
    if std::env::var_os("CARGO_FEATURE_NODE").is_some() {
        napi_build::setup();
    }
}
