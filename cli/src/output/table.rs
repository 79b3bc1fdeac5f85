//! Tables without lines, as wide as needed, and no wider than the terminal.

use comfy_table::{Cell, ContentArrangement, Table, presets::NOTHING};

use super::Row;

/// Renders rows under their heads. `width`: of the terminal, in columns; `None`: unlimited.
pub(crate) fn render<T: Row>(rows: &[T], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).force_no_tty();
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(T::COLUMNS.iter().map(Cell::new));
    table.add_rows(rows.iter().map(Row::cells));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
}
