//! The comments of proto files, which are the API's documentation.

use prost_reflect::FileDescriptor;

/// The comment before what stands at this path of the file, as Markdown; none where the
/// descriptors carry no source info.
pub fn comment(file: &FileDescriptor, path: &[i32]) -> Option<String> {
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    let location = info.location.iter().find(|location| location.path == path)?;
    let text = location.leading_comments.as_deref()?;
    // Every line of `// text` begins with the space.
    let lines: Vec<_> =
        text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The first sentence, without its full stop, and what follows it.
pub(super) fn summary(comment: &str) -> (String, Option<String>) {
    let paragraph = comment.split("\n\n").next().unwrap_or(comment);
    let end = paragraph.find(". ").or_else(|| paragraph.find(".\n"));
    let (first, _) = paragraph.split_at(end.unwrap_or(paragraph.len()));
    let rest = comment.get(first.len()..).unwrap_or_default();
    let rest = rest.strip_prefix('.').unwrap_or(rest).trim();
    let first = first.trim_end_matches('.').replace('\n', " ");
    (first, (!rest.is_empty()).then(|| rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_first_sentence() {
        for (comment, first, rest) in [
            ("Reads it.", "Reads it", None),
            ("Reads it. Or not.", "Reads it", Some("Or not.")),
            ("Reads\nit.\n\nOr not.", "Reads it", Some("Or not.")),
            ("Reads it", "Reads it", None),
        ] {
            assert_eq!(summary(comment), (first.to_owned(), rest.map(str::to_owned)), "{comment}");
        }
    }
}
