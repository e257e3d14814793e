package io.ambo.cluster.cli;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * A table that fits into a width: the least important columns are left out until it does, then the column that may be shortened is. Addresses and names are
 * never cut: a table that is still too wide stays so.
 */
final class Table {
    private static final String GAP = "  ";
    private static final int SHORTENED_MIN = 12;

    /**
     * One column.
     *
     * @param importance columns with less are left out first; {@link #ALWAYS} never
     */
    record Column(String title, boolean rightAligned, int importance, boolean canBeShortened) {
        static final int ALWAYS = Integer.MAX_VALUE;

        static Column left(String title) { return new Column(title, false, ALWAYS, false); }

        static Column right(String title) { return new Column(title, true, ALWAYS, false); }

        static Column prose(String title) { return new Column(title, false, ALWAYS, true); }

        Column importance(int value) { return new Column(title, rightAligned, value, canBeShortened); }
    }

    private final List<Column> columns;
    private final List<List<String>> rows = new ArrayList<>();
    private int[] widths = {};
    private List<Integer> shown = List.of();
    private boolean isHeaderPrinted;

    Table(Column... columns) { this.columns = List.of(columns); }

    void row(Object... cells) {
        List<String> row = new ArrayList<>();
        for (Object cell : cells) row.add(cell.toString());
        if (row.size() != columns.size()) throw new IllegalArgumentException(row.size() + " cells in " + columns.size() + " columns");
        rows.add(row);
    }

    /** The rows added since the last call; the heading comes first, once. What columns there are is settled by the first call. */
    String render(int width) {
        if (!isHeaderPrinted) settle(width);
        StringBuilder out = new StringBuilder();
        if (!isHeaderPrinted) line(columns.stream().map(Column::title).toList(), out);
        isHeaderPrinted = true;
        rows.forEach(row -> line(row, out));
        rows.clear();
        return out.toString();
    }

    private void settle(int width) {
        widths = new int[columns.size()];
        for (int i = 0; i < widths.length; i++) {
            widths[i] = columns.get(i).title.length();
            for (List<String> row : rows) widths[i] = Math.max(widths[i], row.get(i).length());
        }
        shown = new ArrayList<>();
        for (int i = 0; i < widths.length; i++) shown.add(i);
        while (total() > width) {
            Optional<Integer> shortened = shown.stream().filter(i -> columns.get(i).canBeShortened && widths[i] > SHORTENED_MIN)
                    .findFirst();
            if (shortened.isPresent()) {
                int i = shortened.get();
                widths[i] = Math.max(SHORTENED_MIN, widths[i] - (total() - width));
                continue;
            }
            Optional<Integer> least = shown.stream().filter(i -> columns.get(i).importance < Column.ALWAYS)
                    .min(Comparator.comparingInt(i -> columns.get(i).importance));
            if (least.isEmpty()) return;
            shown.removeIf(least.get()::equals);
        }
    }

    private int total() { return shown.stream().mapToInt(i -> widths[i]).sum() + GAP.length() * (shown.size() - 1); }

    private void line(List<String> cells, StringBuilder out) {
        StringBuilder line = new StringBuilder();
        for (int i : shown) {
            if (!line.isEmpty()) line.append(GAP);
            String cell = cells.get(i);
            if (columns.get(i).canBeShortened && cell.length() > widths[i]) cell = cell.substring(0, widths[i] - 2) + "..";
            String padding = " ".repeat(Math.max(0, widths[i] - cell.length()));
            line.append(columns.get(i).rightAligned ? padding + cell : cell + padding);
        }
        out.append(line.toString().stripTrailing()).append('\n');
    }
}
