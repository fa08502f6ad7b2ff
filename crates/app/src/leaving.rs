//! What leaves the page as text: names of files, and the curves of a run as a table.

use crate::plot::series::Curves;

/// The name of a file made of what a person calls an experiment: "Two spirals" becomes `two-spirals`.
pub fn file_stem(name: &str) -> String {
    const LONGEST: usize = 60;
    let mut stem = String::new();
    for c in name.chars().take(LONGEST) {
        if c.is_alphanumeric() {
            stem.extend(c.to_lowercase());
        } else if !stem.is_empty() && !stem.ends_with('-') {
            stem.push('-');
        }
    }
    let stem = stem.trim_end_matches('-');
    if stem.is_empty() { "experiment".to_string() } else { stem.to_string() }
}

/// All curves as CSV: a row for each step that any of them has a point at, a column for each curve, nothing where it has none.
pub fn metrics_csv(curves: &Curves) -> String {
    let curves: Vec<_> = curves.iter().collect();
    let mut at = vec![0; curves.len()];
    let mut text = "step".to_string();
    for (name, _) in &curves {
        text.push(',');
        text += name;
    }
    loop {
        let next = curves.iter().zip(&at).filter_map(|((_, curve), &at)| curve.steps.get(at)).copied();
        let Some(step) = next.reduce(f64::min) else { break };
        text += &format!("\n{step}");
        for ((_, curve), at) in curves.iter().zip(&mut at) {
            text.push(',');
            if curve.steps.get(*at) == Some(&step) {
                // The worker sends 32-bit numbers, which have fewer digits.
                text += &curve.values.get(*at).map_or_else(String::new, |&value| (value as f32).to_string());
                *at += 1;
            }
        }
    }
    text.push('\n');
    text
}

/// A length as a person reads it: `4.2 MB`, `1.8 kB`, `312 bytes`.
pub fn size(bytes: usize) -> String {
    match bytes as f64 {
        n if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        n if n >= 1e3 => format!("{:.1} kB", n / 1e3),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_files_name_on_every_system() {
        let names = ["Two spirals", " ../etc/passwd ", "Größe: 3 × 4?", "", "CON…", &"x".repeat(300)].map(file_stem);
        assert_eq!(names[..5], ["two-spirals", "etc-passwd", "größe-3-4", "experiment", "con"]);
        assert_eq!(names[5].len(), 60);
    }

    #[test]
    fn curves_of_different_steps_stand_in_one_table() {
        let mut curves = Curves::default();
        assert_eq!(metrics_csv(&curves), "step\n");
        curves.append("loss", &[0.0, 1.0, 2.0], &[0.7, 0.6, f32::NAN], false);
        curves.append("validation_loss", &[1.0, 3.0], &[0.65, 0.5], false);
        assert_eq!(metrics_csv(&curves), "step,loss,validation_loss\n0,0.7,\n1,0.6,0.65\n2,NaN,\n3,,0.5\n");
    }

    #[test]
    fn a_length_is_said_in_the_largest_unit_that_fits() {
        assert_eq!([312, 1849, 4_200_000].map(size), ["312 bytes", "1.8 kB", "4.2 MB"]);
    }
}
