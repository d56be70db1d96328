//! Compiles `tests/proto/` into code and a descriptor set, as the service's own build does.

use std::{env, error::Error, fs, path::PathBuf};

const SERVICES: [&str; 3] =
    ["conformance/v1/conformance.proto", "gate/v1/gate.proto", "library/v1/library.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../proto");
    println!("cargo:rerun-if-changed=../../proto");

    let mut compiler = protox::Compiler::new(["../proto", "../../proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(SERVICES)?;

    // Encoded by protox itself: prost's types would drop the options that are extensions.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin"), descriptors)?;

    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
