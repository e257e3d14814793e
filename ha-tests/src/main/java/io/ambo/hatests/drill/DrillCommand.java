package io.ambo.hatests.drill;

import io.ambo.hatests.lab.JvmCommand;
import io.ambo.hatests.report.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ambo drill list | NAME... | all}. Progress goes to standard error, the result to standard output. */
@Command(name = "drill", description = "Failures injected on purpose, with what must survive them measured.")
public final class DrillCommand implements Callable<Integer> {
    @Parameters(paramLabel = "NAME", arity = "0..*", description = "names of drills, one after the other (in one lab where they can), `all`, or `list`")
    private List<String> names = List.of();

    @Option(names = "--json", description = "the result as JSON")
    private boolean json;

    @Option(names = "--scale", paramLabel = "PERCENT", description = "a smaller run: this share of the connections and sessions", defaultValue = "100")
    private int scalePercent = 100;

    @Option(names = "--full", description = "the figures that are promised, where the ordinary run has a smaller count with the same checks")
    private boolean full;

    @Override
    public Integer call() throws IOException {
        if (names.isEmpty() || names.equals(List.of("list"))) return list();
        if (scalePercent < 1 || scalePercent > 1000) throw new IllegalArgumentException("--scale is 1 to 1000 percent");
        List<Drill> drills = names.equals(List.of("all")) ? Drills.ALL : names.stream().map(Drills::byName).toList();
        boolean passed = true;
        try (StandingLab standing = new StandingLab(drills.size() > 1)) {
            for (Drill drill : drills) passed &= run(drill, standing);
        }
        return passed ? 0 : 1;
    }

    private int list() {
        if (json) {
            System.out.print(Json.write(Drills.ALL.stream().map(DrillCommand::describe).toList()));
        } else {
            for (Drill drill : Drills.ALL) System.out.printf("%-24s %s%n", drill.name(), drill.shows());
        }
        return 0;
    }

    private static Map<String, String> describe(Drill drill) {
        Map<String, String> described = new LinkedHashMap<>();
        described.put("name", drill.name());
        described.put("shows", drill.shows());
        return described;
    }

    private boolean run(Drill drill, StandingLab standing) throws IOException {
        Path directory = JvmCommand.home().resolve("ha-tests/target/drills").resolve(drill.name());
        Files.createDirectories(directory);
        DrillRun run = new DrillRun(drill.name(), scalePercent, full, System.err, directory, standing);
        try {
            drill.run(run);
        } catch (Exception thrown) {
            run.check("the drill ran to its end", false, String.valueOf(thrown.getMessage() == null ? thrown : thrown.getMessage()));
            if (System.getenv("AMBO_TRACE") != null) thrown.printStackTrace();
        }
        DrillResult result = run.finish(drill.shows());
        DrillPage.write(result, directory);
        System.out.print(json ? result.json() : result.text());
        if (!json) System.out.println("report: " + directory.resolve("index.html"));
        System.out.flush();
        return result.passed();
    }
}
