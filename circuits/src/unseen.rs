//! Characters that do not show: with them a text reads as another one, or passes for several lines.
//!
//! One list for everything that people compare by eye: words of dictionaries, names of contributors, lines that repeat somebody's file.

/// Whether a character does not show, or changes how those around it do: controls, Unicode's `Default_Ignorable_Code_Point`, formats (`Cf`), and
/// separators of lines and of annotations.
#[must_use]
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character shows as nothing but room: white space, and the Braille pattern without dots.
#[must_use]
pub fn is_blank(character: char) -> bool {
    character.is_whitespace() || character == '\u{2800}'
}

/// Whether a word shows all that it holds: it is not empty, holds nothing unseen, and neither starts nor ends blank.
#[must_use]
pub fn is_shown(word: &str) -> bool {
    let mut characters = word.chars();
    let (first, last) = (characters.next(), word.chars().next_back());
    first.is_some_and(|first| !is_blank(first))
        && last.is_some_and(|last| !is_blank(last))
        && !word.chars().any(is_unseen)
}

/// Whether a name could be mistaken for another by what does not show in it: as [`is_unseen`], and room that is no plain space.
#[must_use]
pub fn is_no_part_of_a_name(character: char) -> bool {
    is_unseen(character) || (is_blank(character) && character != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_shows_all_that_it_holds() {
        for word in ["Placebo", "10 mg/kg", "été", "薬\u{3000}甲", "<65", "[65,80)"] {
            assert!(is_shown(word), "{word:?}");
        }
        // Nothing, two lines, written from right to left, of no width, two lines again, and room around.
        for word in [
            "",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}",
            "a\u{2028}b",
            "a\u{2029}",
            " a",
            "a ",
            "\u{a0}a",
            "a\u{3000}",
            "\u{2800}",
            "\u{600}a",
        ] {
            assert!(!is_shown(word), "{word:?}");
        }
    }

    #[test]
    fn a_name_has_no_room_but_plain_spaces() {
        assert!("Ada Lovelace".chars().all(|c| !is_no_part_of_a_name(c)));
        for c in [
            '\u{a0}', '\u{2000}', '\u{2005}', '\u{200a}', '\u{202f}', '\u{205f}', '\u{3000}', '\u{2800}',
            '\u{200d}', '\t',
        ] {
            assert!(is_no_part_of_a_name(c), "{c:?}");
        }
    }
}
