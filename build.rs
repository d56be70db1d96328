//! Compiles `proto/` into message and service code, and into the descriptor set that drives
//! transcoding, requirements, reflection and the API documentation.

use std::{env, error::Error, fs, path::PathBuf};

/// Every file that holds a service of ours. What they import is found by itself.
const SERVICES: [&str; 1] = ["user/v1/user.proto"];
/// What no service imports and clients meet all the same: the details of a `Status`.
const DETAILS: [&str; 2] = ["google/rpc/status.proto", "google/rpc/error_details.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=migrations"); // embedded by the migrate command

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler
        .include_imports(true)
        .include_source_info(true) // the comments are the API's documentation
        .open_files(SERVICES.iter().chain(&DETAILS))?;

    // Encoded by protox itself: prost's types would drop the options that are extensions.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin"), descriptors)?;

    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
