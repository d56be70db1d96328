//! From HTTP method and path to a binding: a tree of path segments.
//!
//! A literal goes before `*` and `*` before `**`; a verb goes before a colon in an id. The time
//! that a look-up takes does not depend on the number of bindings.

use std::{borrow::Cow, collections::HashMap, fmt::Display, sync::Arc};

use http::Method;

use super::{
    binding::Binding,
    template::{Segment, Template, decode},
};

/// Methods that a binding to any method takes.
const ANY: [Method; 6] =
    [Method::DELETE, Method::GET, Method::HEAD, Method::PATCH, Method::POST, Method::PUT];

#[derive(Debug, Default)]
pub(super) struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    single: Option<Box<Node>>,
    /// Bindings whose template ends here.
    here: Leaves,
    /// Bindings whose template goes on with `**`.
    rest: Leaves,
}

/// Bindings to one path, by their verb; those without one by the empty verb, which none has.
type Leaves = HashMap<String, Vec<Arc<Binding>>>;

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Found<'r> {
    Binding(&'r Arc<Binding>),
    /// Something, but not for this HTTP method: those it has.
    OtherMethods(Vec<Method>),
    Nothing,
}

impl Router {
    /// Adds a binding, unless one that is alike is there: then it is returned.
    pub(super) fn insert(&mut self, binding: Arc<Binding>) -> Result<(), Arc<Binding>> {
        let mut node = &mut self.root;
        let mut rest = false;
        for segment in binding.template().segments() {
            match segment {
                Segment::Literal(text) => node = node.literals.entry(text.clone()).or_default(),
                Segment::Single => node = node.single.get_or_insert_default(),
                Segment::Rest => rest = true,
            }
        }
        let leaves = if rest { &mut node.rest } else { &mut node.here };
        let verb = binding.template().verb().unwrap_or_default();
        let leaves = leaves.entry(verb.to_owned()).or_default();
        let alike = leaves.iter().find(|other| other.http_method() == binding.http_method());
        if let Some(other) = alike {
            return Err(Arc::clone(other));
        }
        leaves.push(binding);
        Ok(())
    }

    /// What stands at this path for this HTTP method.
    pub(super) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let Some(path) = Path::split(path) else { return Found::Nothing };
        let exact = |binding: &Binding| binding.http_method() == Some(method);
        let head_of_get = |binding: &Binding| {
            *method == Method::HEAD && binding.http_method() == Some(&Method::GET)
        };
        let any = |binding: &Binding| binding.http_method().is_none() && ANY.contains(method);
        for wanted in [&exact as &dyn Fn(&Binding) -> bool, &head_of_get, &any] {
            if let Some(binding) = self.search(&path, wanted) {
                return Found::Binding(binding);
            }
        }
        match self.methods(&path) {
            methods if methods.is_empty() => Found::Nothing,
            methods => Found::OtherMethods(methods),
        }
    }

    /// The HTTP methods that this path has, in alphabetical order; none where it has nothing.
    pub(super) fn methods_at(&self, path: &str) -> Vec<Method> {
        Path::split(path).map_or_else(Vec::new, |path| self.methods(&path))
    }

    fn methods(&self, path: &Path<'_>) -> Vec<Method> {
        let mut methods = Vec::new();
        self.search(path, &mut |binding: &Binding| {
            match binding.http_method() {
                Some(&Method::GET) => methods.extend([Method::GET, Method::HEAD]),
                Some(method) => methods.push(method.clone()),
                None => methods.extend(ANY),
            }
            false
        });
        if !methods.is_empty() {
            methods.push(Method::OPTIONS);
        }
        methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        methods.dedup();
        methods
    }

    /// The first binding at this path that is wanted, the most specific first.
    fn search<'r>(
        &'r self,
        path: &Path<'_>,
        mut wanted: impl FnMut(&Binding) -> bool,
    ) -> Option<&'r Arc<Binding>> {
        if let Some((head, verb)) = &path.with_verb
            && let Some(binding) = self.root.search(head, verb, &mut wanted)
        {
            return Some(binding);
        }
        self.root.search(&path.whole, "", &mut wanted)
    }
}

impl Node {
    /// No deeper than the deepest template, and no node is met twice.
    fn search<'r>(
        &'r self,
        path: &[Cow<'_, str>],
        verb: &str,
        wanted: &mut dyn FnMut(&Binding) -> bool,
    ) -> Option<&'r Arc<Binding>> {
        let inside = match path.split_first() {
            None => first(&self.here, verb, wanted),
            Some((segment, rest)) => {
                let literal = self.literals.get(segment.as_ref());
                literal
                    .and_then(|node| node.search(rest, verb, wanted))
                    .or_else(|| self.single.as_ref()?.search(rest, verb, wanted))
            }
        };
        inside.or_else(|| first(&self.rest, verb, wanted))
    }
}

fn first<'l>(
    leaves: &'l Leaves,
    verb: &str,
    wanted: &mut dyn FnMut(&Binding) -> bool,
) -> Option<&'l Arc<Binding>> {
    leaves.get(verb)?.iter().find(|binding| wanted(binding))
}

/// A path's segments, read in the two ways that a colon at its end allows.
struct Path<'p> {
    whole: Vec<Cow<'p, str>>,
    with_verb: Option<(Vec<Cow<'p, str>>, &'p str)>,
}

impl<'p> Path<'p> {
    /// `None` where a segment is empty, a trailing slash's included: there is never anything.
    fn split(path: &'p str) -> Option<Self> {
        let raw = segments(path, false);
        if raw.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        let last = raw.last()?;
        let parts = last.rsplit_once(':').filter(|(id, verb)| !id.is_empty() && !verb.is_empty());
        let with_verb = parts.map(|(id, verb)| {
            let before = raw.iter().take(raw.len() - 1).chain([&id]);
            (before.map(|segment| decoded(segment)).collect(), verb)
        });
        Some(Self { whole: raw.iter().map(|segment| decoded(segment)).collect(), with_verb })
    }
}

/// The raw segments of a path, without its verb where the binding has one.
pub(super) fn segments(path: &str, verb: bool) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = if verb { path.rsplit_once(':').map_or(path, |(head, _)| head) } else { path };
    path.split('/').collect()
}

/// A segment as literals are compared with it; broken encoding as it is.
fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    decode(segment).map_or(Cow::Borrowed(segment), Cow::Owned)
}

/// The reserved template that leaves nothing to a binding.
pub(super) fn taken<'t>(
    binding: &Binding,
    reserved: &'t [Template],
) -> Option<&'t (impl Display + use<>)> {
    reserved.iter().find(|template| template.covers(binding.template()))
}
