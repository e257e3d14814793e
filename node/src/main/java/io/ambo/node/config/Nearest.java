package io.ambo.node.config;

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;

/** Finds the word that somebody who mistyped may have meant. */
final class Nearest {
    private Nearest() {}

    /** The known word with the fewest typing errors in it, unless that is no likeness at all. */
    static Optional<String> to(String word, Collection<String> known) {
        String best = null;
        int fewest = Integer.MAX_VALUE;
        for (String candidate : known) {
            int errors = errors(word.toLowerCase(Locale.ROOT).replace('_', '-'), candidate.toLowerCase(Locale.ROOT));
            if (errors < fewest) {
                fewest = errors;
                best = candidate;
            }
        }
        return best != null && fewest <= Math.max(1, Math.min(word.length(), best.length()) / 2) ? Optional.of(best) : Optional.empty();
    }

    /** Letters to insert, remove, replace, or neighbours to swap. */
    private static int errors(String a, String b) {
        int[][] distance = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) distance[i][0] = i;
        for (int j = 0; j <= b.length(); j++) distance[0][j] = j;
        for (int i = 1; i <= a.length(); i++) {
            for (int j = 1; j <= b.length(); j++) {
                int replace = distance[i - 1][j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                int least = Math.min(replace, 1 + Math.min(distance[i - 1][j], distance[i][j - 1]));
                boolean swapped = i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1);
                distance[i][j] = swapped ? Math.min(least, distance[i - 2][j - 2] + 1) : least;
            }
        }
        return distance[a.length()][b.length()];
    }
}
