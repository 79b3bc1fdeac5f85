//! Tables without lines, as wide as needed, and no wider than the terminal.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, Width, presets::NOTHING};

use super::Row;

/// Spaces after each column.
const PADDING: u16 = 2;

/// Renders rows under their heads. `width`: of the terminal, in columns; `None`: unlimited.
pub(crate) fn render<T: Row>(rows: &[T], width: Option<u16>) -> String {
    render_cells(T::COLUMNS, rows.iter().map(Row::cells), width)
}

/// As [`render`], where the heads depend on what was asked.
pub(crate) fn render_cells(heads: &[&str], rows: impl Iterator<Item = Vec<String>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).force_no_tty();
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(heads.iter().map(Cell::new));
    table.add_rows(rows);
    for (column, head) in table.column_iter_mut().zip(heads) {
        let head = u16::try_from(head.len()).unwrap_or(u16::MAX).saturating_add(PADDING);
        column.set_padding((0, PADDING)).set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(head)));
    }
    table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    struct Thing(&'static str, &'static str);

    impl Row for Thing {
        const PLURAL: &'static str = "things";
        const COLUMNS: &'static [&'static str] = &["NAME", "WHAT IT IS"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_owned()]
        }
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let rows = [Thing("a", "short"), Thing("b", "a text that does not fit into the terminal of this test")];
        let narrow = render(&rows, Some(30));
        assert!(narrow.lines().all(|line| line.len() <= 30), "{narrow}");
        assert!(narrow.contains("WHAT IT IS"), "{narrow}");
        assert_eq!(render(&rows, None).lines().count(), 3);
    }
}
