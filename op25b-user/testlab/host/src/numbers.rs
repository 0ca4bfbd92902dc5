//! Numbers as people read them.

/// `1234567` as `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three_from_the_right() {
        let numbers = [0, 12, 999, 1_000, 17_012, 1_234_567];
        let texts = ["0", "12", "999", "1,000", "17,012", "1,234,567"];
        assert_eq!(numbers.map(thousands), texts);
    }
}
