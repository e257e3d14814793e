package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Command;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.NetworkNamespace;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The real ping(8), and what it said. */
public record Ping(int sent, int received, double averageMs, double maxMs) {
    private static final Pattern COUNTS = Pattern.compile("(\\d+) packets transmitted, (\\d+) received");
    private static final Pattern TIMES = Pattern.compile("= [\\d.]+/([\\d.]+)/([\\d.]+)/");

    /** So many echo requests, two milliseconds apart. */
    public static Ping of(NetworkNamespace host, String destination, int count) {
        String[] words = { "ping", "-n", "-q", "-c", Integer.toString(count), "-i", "0.002", "-W", "1", destination };
        String said = Command.attempt(Duration.ofSeconds(60 + count / 100), host.command(words).toArray(String[]::new)).output();
        Matcher counts = COUNTS.matcher(said);
        if (!counts.find()) throw new LabException("ping to " + destination + " said: " + said.strip());
        Matcher times = TIMES.matcher(said);
        boolean answered = times.find();
        return new Ping(Integer.parseInt(counts.group(1)), Integer.parseInt(counts.group(2)),
                answered ? Double.parseDouble(times.group(1)) : 0,
                answered ? Double.parseDouble(times.group(2)) : 0);
    }
}
