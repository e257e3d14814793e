package io.ambo.hatests.lab;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Programs of the system, run to their end. */
public final class Command {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private Command() {}

    /** What a program left behind. */
    public record Outcome(int status, String output) {
        public boolean ok() { return status == 0; }
    }

    /** Runs it and returns what it wrote to either stream. @throws LabException when it fails */
    public static String run(String... words) {
        return run("", List.of(words));
    }

    /** The same, with text for its standard input. */
    public static String run(String input, List<String> words) {
        Outcome outcome = attempt(input, LIMIT, words);
        if (!outcome.ok()) {
            String given = input.isEmpty() ? "" : " with input:\n" + input.strip();
            throw new LabException(
                    String.join(" ", words) + " ended with status " + outcome.status() + ": " + outcome.output().strip() + given);
        }
        return outcome.output();
    }

    /** Runs it, whatever becomes of it. */
    public static Outcome attempt(Duration limit, String... words) {
        return attempt("", limit, List.of(words));
    }

    private static Outcome attempt(String input, Duration limit, List<String> words) {
        Path output = null;
        try {
            // A file, not a pipe: a child that stays behind with the pipe open cannot hold us up.
            output = Files.createTempFile("ambo-command", ".out");
            Process process = new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(output.toFile()).start();
            try (var stdin = process.getOutputStream()) {
                stdin.write(input.getBytes(StandardCharsets.UTF_8));
            } catch (IOException ended) {
                // It did not read its input; its status tells why.
            }
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly().waitFor();
                return new Outcome(-1, Files.readString(output) + "\nkilled after " + limit.toSeconds() + " s");
            }
            return new Outcome(process.exitValue(), Files.readString(output));
        } catch (IOException failed) {
            throw new LabException("cannot run " + words.getFirst() + ": " + failed.getMessage() + "; see ./ambo doctor", failed);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted while running " + words.getFirst(), interrupted);
        } finally {
            if (output != null) {
                try {
                    Files.deleteIfExists(output);
                } catch (IOException left) {
                    // A temporary file stays; nothing depends on it.
                }
            }
        }
    }
}
