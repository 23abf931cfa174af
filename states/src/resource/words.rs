//! Splitting a command line into words as Python's `shlex.split` does (POSIX rules).

/// The words, or why the text cannot be split.
pub fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        match chars.peek() {
            None => return Ok(words),
            Some(_) => words.push(word(&mut chars)?),
        }
    }
}

fn word(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, &'static str> {
    let mut word = String::new();
    while let Some(c) = chars.next_if(|c| !c.is_ascii_whitespace()) {
        match c {
            '\'' => single(chars, &mut word)?,
            '"' => double(chars, &mut word)?,
            '\\' => word.push(chars.next().ok_or("No escaped character")?),
            c => word.push(c),
        }
    }
    Ok(word)
}

fn single(chars: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), &'static str> {
    for c in chars {
        match c {
            '\'' => return Ok(()),
            c => word.push(c),
        }
    }
    Err("No closing quotation")
}

fn double(chars: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), &'static str> {
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(()),
            // Within double quotes a backslash escapes itself and the quote, nothing else.
            '\\' => match chars.next().ok_or("No closing quotation")? {
                c @ ('"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
    Err("No closing quotation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_python_splits_them() {
        assert_eq!(split("ls  -l 'a b' \"c\\\"d\\n\" e\\ f ''").unwrap(), ["ls", "-l", "a b", "c\"d\\n", "e f", ""]);
        assert_eq!(split("a'b'c\"d\"").unwrap(), ["abcd"]);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
        for bad in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
