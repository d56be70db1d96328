//! Compiles `proto/` into message and service code, and into the descriptor set that drives
//! transcoding, requirements, reflection and the API documentation.

use std::{
    borrow::Cow,
    env,
    error::Error,
    fs,
    io::{self, Cursor},
    path::{Path, PathBuf},
};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// Every file that holds a service of ours. What they import is found by itself.
const SERVICES: [&str; 1] = ["user/v1/user.proto"];
/// What no service imports and clients meet all the same: the details of a `Status`.
const DETAILS: [&str; 2] = ["google/rpc/status.proto", "google/rpc/error_details.proto"];

/// The files of Swagger UI that `/docs` is made of.
const SWAGGER_UI: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=migrations"); // embedded by the migrate command

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler
        .include_imports(true)
        .include_source_info(true) // the comments are the API's documentation
        .open_files(SERVICES.iter().chain(&DETAILS))?;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Encoded by protox itself: prost's types would drop the options that are extensions.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), descriptors)?;

    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    unpack_swagger_ui(&out)
}

fn unpack_swagger_ui(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for name in SWAGGER_UI {
        let end = format!("/dist/{name}");
        let path = archive.file_names().flatten().find(|path| path.ends_with(&end));
        let path = path.map(Cow::into_owned).ok_or_else(|| format!("Swagger UI has no {name}"))?;
        io::copy(&mut archive.by_name(&path)?, &mut fs::File::create(out.join(name))?)?;
    }
    Ok(())
}
