//! Numbers with their nouns, in the singular or the plural.

/// `1 pool`, `2 pools`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_any_other_number_plural() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "pool")),
            ["0 pools", "1 pool", "2 pools"]
        );
    }
}
