package io.ambo.hatests;

import static java.util.Objects.requireNonNull;

import io.ambo.hatests.bench.BenchCommand;
import io.ambo.hatests.drill.DrillCommand;
import io.ambo.hatests.oracle.OracleCommand;
import io.ambo.hatests.sim.SimCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The tools of the proof, as the launcher starts them: lab, drill, simulation, oracle, bench. */
@Command(name = "ambo", subcommands = { LabCommand.class, DrillCommand.class, SimCommand.class, OracleCommand.class, BenchCommand.class })
public final class HaTests {
    private HaTests() {}

    public static void main(String[] arguments) {
        CommandLine line = new CommandLine(new HaTests());
        // The words after `lab sh NAME` belong to the command that is run there.
        requireNonNull(requireNonNull(line.getSubcommands().get("lab")).getSubcommands().get("sh")).setStopAtPositional(true);
        line.setExecutionExceptionHandler((failure, command, parsed) -> {
            System.err.println(failure.getMessage() == null ? failure.toString() : failure.getMessage());
            if (System.getenv("AMBO_TRACE") != null) failure.printStackTrace();
            return 1;
        });
        System.exit(line.execute(arguments));
    }
}
