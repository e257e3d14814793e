package io.ambo.hatests.lab;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What the JVMs of a lab are started with: the one place for their options. */
public final class JvmCommand {
    /**
     * A node of the lab: small, its memory taken at start, so that no measurement pays for growth. ZGC, since a pause longer than the parking costs a handshake
     * a second: the serial collector's were 30 to 220 ms on two busy cores.
     */
    private static final List<String> NODE_OPTIONS = List.of("-XX:+UseZGC", "-Xms384m", "-Xmx384m", "-XX:+AlwaysPreTouch",
            "-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=false");

    private JvmCommand() {}

    static List<String> node(Path config) {
        List<String> words = new ArrayList<>();
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(commonOptions());
        words.addAll(NODE_OPTIONS);
        String more = System.getenv("AMBO_NODE_JAVA_OPTIONS");
        if (more != null && !more.isBlank()) words.addAll(List.of(more.strip().split("\\s+", -1)));
        words.addAll(List.of("-cp", libraries() + "/*", "io.ambo.node.Main", "--config", config.toString()));
        return words;
    }

    /** The words that run a program of this tree in a process of its own, with the classes of this one. */
    public static List<String> tool(Class<?> program, Object... arguments) {
        List<String> words = new ArrayList<>();
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(commonOptions());
        words.addAll(List.of("-XX:+UseSerialGC", "-Xmx512m", "-cp", System.getProperty("java.class.path"), program.getName()));
        for (Object argument : arguments) words.add(argument.toString());
        return words;
    }

    /** Those of the parent pom, as the build wrote them. */
    private static List<String> commonOptions() {
        try (InputStream options = JvmCommand.class.getResourceAsStream("/io/ambo/hatests/jvm.options")) {
            if (options == null) throw new LabException("the build left no jvm.options: run ./ambo build");
            return List.of(new String(options.readAllBytes(), StandardCharsets.UTF_8).strip().split("\\s+", -1));
        } catch (IOException failed) {
            throw new LabException("cannot read jvm.options", failed);
        }
    }

    private static Path libraries() {
        Path libraries = home().resolve("ha-tests/target/lib");
        if (!Files.isDirectory(libraries)) throw new LabException(libraries + " is not there: run ./ambo build");
        return libraries;
    }

    /** The top of the tree that this was built in. */
    public static Path home() {
        String home = System.getProperty("ambo.home");
        if (home == null) throw new LabException("the property ambo.home is not set: start this with ./ambo");
        return Path.of(home);
    }
}
