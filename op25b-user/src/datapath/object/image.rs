//! The embedded object with other constants: those of a program that another process loaded.

use std::collections::BTreeMap;

use object::{File, Object as _, ObjectSection as _};

use super::error::LoadError;

/// What the ELF parser requires.
const ALIGNMENT: usize = 8;
/// The sections with constants, which the loader makes maps of under their names.
const CONSTANTS: &str = ".rodata";

/// An object, aligned as the ELF parser requires.
pub(super) struct Image {
    buffer: Vec<u8>,
    start: usize,
}

impl Image {
    fn copy(object: &[u8]) -> Self {
        let mut buffer: Vec<u8> = Vec::with_capacity(object.len() + ALIGNMENT);
        let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        buffer.resize(start, 0);
        buffer.extend_from_slice(object);
        Self { buffer, start }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }
}

/// A copy of an object whose sections with constants have this content, by their names in the kernel; one that no program uses
/// is in no map of the kernel. None if the object has other sections, or of other sizes.
pub(super) fn with_constants(
    object: &[u8],
    constants: &BTreeMap<String, Vec<u8>>,
) -> Result<Option<Image>, LoadError> {
    let broken = |_| LoadError::Missing { name: CONSTANTS };
    let file = File::parse(object).map_err(broken)?;
    let mut image = Image::copy(object);
    let mut sections = 0;
    for section in file.sections() {
        let name = section.name().map_err(broken)?;
        if !name.starts_with(CONSTANTS) {
            continue;
        }
        let Some((offset, size)) = section.file_range() else {
            continue;
        };
        let (Ok(offset), Ok(size)) = (usize::try_from(offset), usize::try_from(size)) else {
            return Err(LoadError::Missing { name: CONSTANTS });
        };
        let Some(content) = constants.get(name) else {
            continue;
        };
        if content.len() != size {
            return Ok(None);
        }
        image.bytes_mut()[offset..offset + size].copy_from_slice(content);
        sections += 1;
    }
    Ok((sections > 0 && sections == constants.len()).then_some(image))
}

#[cfg(test)]
mod tests {
    use super::*;

    static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/op25b"));

    /// The sections with constants and their content.
    fn constants(object: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let file = File::parse(object).unwrap();
        let sections = file.sections().filter_map(|section| {
            let name = section.name().unwrap().to_owned();
            name.starts_with(CONSTANTS)
                .then(|| (name, section.data().unwrap().to_vec()))
        });
        sections.collect()
    }

    #[test]
    fn constants_are_exchanged_and_nothing_else() {
        let mut others = constants(OBJECT);
        assert!(!others.is_empty());
        assert_eq!(with_constants(OBJECT, &others).unwrap().unwrap().bytes(), OBJECT);
        for content in others.values_mut() {
            content.fill(7);
        }
        let image = with_constants(OBJECT, &others).unwrap().unwrap();
        assert_eq!(constants(image.bytes()), others);
        assert_eq!(image.bytes().as_ptr().align_offset(ALIGNMENT), 0);
        let changed = image
            .bytes()
            .iter()
            .zip(OBJECT)
            .filter(|(one, other)| one != other);
        assert!(changed.count() <= others.values().map(Vec::len).sum());
    }

    #[test]
    fn a_section_that_no_program_uses_is_as_it_was() {
        let mut used = constants(OBJECT);
        used.retain(|name, _| name == CONSTANTS);
        for content in used.values_mut() {
            content.fill(7);
        }
        let image = with_constants(OBJECT, &used).unwrap().unwrap();
        for (name, content) in constants(OBJECT) {
            let expected = used.get(&name).unwrap_or(&content);
            assert_eq!(constants(image.bytes())[&name], *expected, "{name}");
        }
    }

    #[test]
    fn constants_of_another_object_are_not_taken() {
        let ours = constants(OBJECT);
        let name = ours.keys().next().unwrap().clone();
        let mut longer = ours.clone();
        longer.get_mut(&name).unwrap().push(0);
        assert!(with_constants(OBJECT, &longer).unwrap().is_none());
        assert!(with_constants(OBJECT, &BTreeMap::new()).unwrap().is_none());
        let mut more = ours;
        more.insert(".rodata.other".to_owned(), vec![0]);
        assert!(with_constants(OBJECT, &more).unwrap().is_none());
    }
}
