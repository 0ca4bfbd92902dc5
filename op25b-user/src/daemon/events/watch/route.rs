//! The way to a file: every directory entry that leads to it, through symbolic links and the directories above.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::{OsStr, OsString},
    fs,
    path::{Component, Path, PathBuf},
};

/// As many symbolic links as the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// The way to a file. If one of its entries changes, the path may name another file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// The names of the entries, by the directory that they are in; no directory is a symbolic link.
    pub(super) entries: BTreeMap<PathBuf, BTreeSet<OsString>>,
    /// The directory of the last entry.
    pub(super) last: PathBuf,
    /// The file at the end, if every entry exists.
    pub(super) file: Option<PathBuf>,
}

/// One step on the way.
enum Step {
    Root,
    Parent,
    Name(OsString),
}

impl Route {
    /// Follows an absolute path as far as it leads.
    pub(super) fn follow(path: &Path) -> Self {
        let mut route = Self::default();
        let mut ahead = steps(path);
        let mut here = PathBuf::from("/");
        let mut links = 0;
        while let Some(step) = ahead.pop_front() {
            let name = match step {
                Step::Root => {
                    here = PathBuf::from("/");
                    continue;
                }
                Step::Parent => {
                    here.pop();
                    continue;
                }
                Step::Name(name) => name,
            };
            let entry = here.join(&name);
            route.note(&here, &name);
            let Ok(metadata) = fs::symlink_metadata(&entry) else {
                return route;
            };
            if !metadata.is_symlink() {
                here = entry;
                continue;
            }
            links += 1;
            let Ok(target) = fs::read_link(&entry) else {
                return route;
            };
            if links > MOST_LINKS {
                return route;
            }
            let mut through = steps(&target);
            through.append(&mut ahead);
            ahead = through;
        }
        route.file = Some(here);
        route
    }

    fn note(&mut self, directory: &Path, name: &OsStr) {
        let names = self.entries.entry(directory.to_owned()).or_default();
        names.insert(name.to_owned());
        directory.clone_into(&mut self.last);
    }
}

fn steps(path: &Path) -> VecDeque<Step> {
    let steps = path.components().filter_map(|component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Parent),
        Component::Normal(name) => Some(Step::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// The entries below a directory, as paths relative to it.
    fn below(directory: &Path, route: &Route) -> Vec<String> {
        let entries = route.entries.iter().flat_map(|(place, names)| {
            let place = place.strip_prefix(directory).ok();
            let paths = names.iter().filter_map(move |name| Some(place?.join(name)));
            paths.map(|path| path.display().to_string())
        });
        entries.collect()
    }

    fn directory() -> (TempDir, PathBuf) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().canonicalize().unwrap();
        (directory, path)
    }

    #[test]
    fn every_entry_on_the_way_is_named_those_of_links_as_well() {
        let (_guard, top) = directory();
        fs::create_dir_all(top.join("releases/1/policies")).unwrap();
        fs::write(top.join("releases/1/policies/edge.yaml"), "").unwrap();
        symlink("releases/1", top.join("current")).unwrap();
        symlink(top.join("current/policies/edge.yaml"), top.join("policy.yaml")).unwrap();
        let route = Route::follow(&top.join("policy.yaml"));
        assert_eq!(
            below(&top, &route),
            [
                "current",
                "policy.yaml",
                "releases",
                "releases/1",
                "releases/1/policies",
                "releases/1/policies/edge.yaml"
            ]
        );
        assert_eq!(route.file, Some(top.join("releases/1/policies/edge.yaml")));
        assert!(route.entries.contains_key(Path::new("/")));
    }

    #[test]
    fn a_way_that_does_not_lead_to_the_end_is_followed_as_far_as_it_leads() {
        let (_guard, top) = directory();
        symlink("nowhere/policy.yaml", top.join("policy.yaml")).unwrap();
        let route = Route::follow(&top.join("policy.yaml"));
        assert_eq!(below(&top, &route), ["nowhere", "policy.yaml"]);
        assert_eq!(route.file, None);
    }

    #[test]
    fn links_in_a_circle_end() {
        let (_guard, top) = directory();
        symlink("b", top.join("a")).unwrap();
        symlink("../a", top.join("b")).unwrap();
        symlink("c", top.join("c")).unwrap();
        for name in ["a", "c"] {
            assert_eq!(Route::follow(&top.join(name)).file, None);
        }
    }
}
