package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Command;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.NetworkNamespace;
import java.time.Duration;
import java.util.BitSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The real ping(8), and what it said. */
public record Ping(int received, double averageMs) {
    private static final Pattern ANSWER = Pattern.compile("icmp_seq=(\\d+) .*time=([\\d.]+) ms");
    private static final Pattern SUMMARY = Pattern.compile("\\d+ packets transmitted, \\d+ received");
    /** Echo requests after those that count, a quarter of a second of them: ping waits for its last answer no longer than for two others. */
    private static final int TAIL = 125;

    /** So many echo requests, two milliseconds apart. */
    public static Ping of(NetworkNamespace host, String destination, int count) {
        String[] words = { "ping", "-n", "-c", Integer.toString(count + TAIL), "-i", "0.002", "-W", "1", destination };
        String said = Command.attempt(Duration.ofSeconds(60 + count / 100), host.command(words).toArray(String[]::new)).output();
        if (!SUMMARY.matcher(said).find()) throw new LabException("ping to " + destination + " said: " + said.strip());
        BitSet answered = new BitSet();
        double sum = 0;
        for (Matcher answer = ANSWER.matcher(said); answer.find();) {
            int sequence = Integer.parseInt(answer.group(1));
            if (sequence > count || answered.get(sequence)) continue;
            answered.set(sequence);
            sum += Double.parseDouble(answer.group(2));
        }
        return new Ping(answered.cardinality(), answered.isEmpty() ? 0 : sum / answered.cardinality());
    }
}
