package io.ambo.hatests.lab;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Every lab of this machine has a directory /run/ambo-lab/ID, made before anything else of it and removed after everything else, with a file
 * {@code state} that says who owns it. So whatever a run leaves behind when it is killed is found and removed by the next one, and by the doctor.
 */
final class LabRegistry {
    static final Path DIRECTORY = Path.of("/run/ambo-lab");
    private static final String NAMESPACE_PREFIX = "ambo-";

    private LabRegistry() {}

    /** Enters a lab that ends with this process or, when kept, outlives it. */
    static Path register(String id, boolean kept) {
        if (!id.matches("[a-z0-9]{1,16}")) throw new LabException("a lab's name is 1 to 16 of a-z and 0-9, not " + id);
        Path directory = DIRECTORY.resolve(id);
        try {
            Files.createDirectories(DIRECTORY, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
            if (Files.exists(directory)) throw new LabException("lab " + id + " is up already; take it down with: ./ambo lab down " + id);
            Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-x---")));
            String owner = kept ? "kept\n" : "owner=" + ProcessHandle.current().pid() + " " + startOf(ProcessHandle.current()) + "\n";
            Files.writeString(directory.resolve("state"), owner);
            return directory;
        } catch (IOException failed) {
            throw new LabException("cannot register lab " + id + " in " + DIRECTORY, failed);
        }
    }

    /** Process ids are used again; the start time tells two processes apart. */
    private static long startOf(ProcessHandle process) {
        return process.info().startInstant().map(java.time.Instant::toEpochMilli).orElse(0L);
    }

    static Path directory(String id) { return DIRECTORY.resolve(id); }

    static boolean exists(String id) { return Files.exists(directory(id)); }

    static NetworkNamespace namespace(String id, String host) { return new NetworkNamespace(NAMESPACE_PREFIX + id + "-" + host); }

    /** Ends every process of a lab, removes its namespaces and its directory. Does what is left to do, however far an earlier try came. */
    static void remove(String id) {
        LabException first = null;
        for (NetworkNamespace namespace : NetworkNamespace.all(NAMESPACE_PREFIX + id + "-")) {
            try {
                namespace.delete();
            } catch (LabException failed) {
                first = first == null ? failed : first;
            }
        }
        unmountBelow(directory(id));
        deleteTree(directory(id));
        if (first != null) throw first;
    }

    /** The nodes' bpffs: what they have pinned goes with it. */
    private static void unmountBelow(Path directory) {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/mounts"))) {
                String mounted = line.split(" ", -1)[1];
                if (mounted.startsWith(directory + "/")) Command.run("umount", mounted);
            }
        } catch (IOException unreadable) {
            throw new LabException("cannot read the mounts", unreadable);
        }
    }

    /** Removes the labs whose owners are gone. @return their ids */
    static List<String> sweep() {
        List<String> abandoned = abandoned();
        abandoned.forEach(LabRegistry::remove);
        return abandoned;
    }

    static List<String> abandoned() { return ids().stream().filter(LabRegistry::isAbandoned).toList(); }

    private static List<String> ids() {
        if (!Files.isDirectory(DIRECTORY)) return List.of();
        try (Stream<Path> files = Files.list(DIRECTORY)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (IOException failed) {
            throw new LabException("cannot list " + DIRECTORY, failed);
        }
    }

    private static boolean isAbandoned(String id) {
        try {
            Path state = directory(id).resolve("state");
            if (!Files.exists(state)) {
                // Between the two steps of registering; old ones were killed just there.
                return Files.getLastModifiedTime(directory(id)).toMillis() < System.currentTimeMillis() - 60_000;
            }
            String text = Files.readString(state).strip();
            if (!text.startsWith("owner=")) return false;
            String[] words = text.substring("owner=".length()).split(" ", -1);
            Optional<ProcessHandle> owner = ProcessHandle.of(Long.parseLong(words[0]));
            return owner.isEmpty() || startOf(owner.get()) != Long.parseLong(words[1]);
        } catch (IOException gone) {
            return false;
        }
    }

    static void deleteTree(Path tree) {
        if (!Files.exists(tree)) return;
        try {
            Files.walkFileTree(tree, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    Files.deleteIfExists(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path directory, java.io.IOException failed) throws IOException {
                    Files.deleteIfExists(directory);
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException failed) {
            throw new LabException("cannot delete " + tree, failed);
        }
    }
}
