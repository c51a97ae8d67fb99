package flaneur.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.graphhopper.GHRequest;
import com.graphhopper.GHResponse;
import com.graphhopper.GraphHopper;
import com.graphhopper.config.CHProfile;
import com.graphhopper.config.LMProfile;
import com.graphhopper.config.Profile;
import com.graphhopper.json.Statement;
import com.graphhopper.util.CustomModel;
import com.graphhopper.util.GHUtility;
import com.graphhopper.util.PointList;
import com.graphhopper.util.shapes.GHPoint;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;

/**
 * Peer: GraphHopper on foot. Started with the path of the job that bench/peers/routing.py writes; the last line
 * of its output is one JSON object. Every figure is taken after a warm-up on the same pairs.
 */
public final class RoutingPeer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double SECONDS = 5.0; // that are measured,
    private static final double WARM = 1.6; // after so many times as many that are not: the JVM still compiles
    private static final String PROFILE = "foot";

    private final JsonNode job;
    private final GraphHopper hopper;
    private final double preparationS;

    private RoutingPeer(JsonNode job) {
        this.job = job;
        double started = now();
        hopper = new GraphHopper()
                .setOSMFile(job.get("extract").asText())
                .setGraphHopperLocation(job.get("folder").asText() + File.separator + "graphhopper")
                .setEncodedValuesString("foot_access, foot_priority, foot_average_speed, foot_road_access,"
                        + " hike_rating, mtb_rating, country, road_class, surface")
                .setProfiles(new Profile(PROFILE).setCustomModel(GHUtility.loadCustomModelFromJar("foot.json")));
        hopper.getCHPreparationHandler().setCHProfiles(new CHProfile(PROFILE));
        hopper.getLMPreparationHandler().setLMProfiles(new LMProfile(PROFILE));
        hopper.importOrLoad();
        preparationS = now() - started;
    }

    public static void main(String[] arguments) throws Exception {
        JsonNode job = JSON.readTree(new File(arguments[0]));
        RoutingPeer peer = new RoutingPeer(job);
        ObjectNode result = JSON.createObjectNode();
        result.put("version", "graphhopper " + com.graphhopper.util.Constants.VERSION
                + ", Java " + System.getProperty("java.version"));
        result.put("preparation_s", peer.preparationS);
        result.put("graph_nodes", peer.hopper.getBaseGraph().getNodes());
        if (job.has("place_pairs")) {
            peer.measurePairs(result);
        }
        if (job.has("loops")) {
            result.set("loops", peer.measureLoops());
        }
        System.out.println();
        System.out.println(JSON.writeValueAsString(result));
    }

    private void measurePairs(ObjectNode result) {
        result.set("ch", measure(this::archetype));
        result.set("landmarks", measure(number -> personal(number, true)));
        result.set("flexible", measure(number -> personal(number, false)));
    }

    /** Queries per second over the pairs in turn, with the share of them that had a route. */
    private ObjectNode measure(IntFunction<GHRequest> request) {
        int count = job.get("place_pairs").size();
        double seconds = job.path("seconds").asDouble(SECONDS);
        for (double end = now() + WARM * seconds, i = 0; now() < end; i++) {
            hopper.route(request.apply((int) i % count));
        }
        int done = 0;
        int found = 0;
        double metres = 0.0;
        double started = cpu();
        for (double end = now() + seconds; now() < end; ) {
            GHResponse response = hopper.route(request.apply(done % count));
            done++;
            if (!response.hasErrors()) {
                found++;
                metres += response.getBest().getDistance();
            }
        }
        double spent = cpu() - started;
        ObjectNode figures = JSON.createObjectNode();
        figures.put("queries_per_s", done / spent);
        figures.put("found_share", (double) found / done);
        figures.put("mean_length_m", found == 0 ? 0.0 : metres / found);
        return figures;
    }

    private GHRequest archetype(int number) {
        JsonNode pair = job.get("place_pairs").get(number);
        GHRequest request = new GHRequest(pair.get(0).asDouble(), pair.get(1).asDouble(),
                pair.get(2).asDouble(), pair.get(3).asDouble()).setProfile(PROFILE);
        request.putHint("instructions", false); // a path with its length and time, no words
        return request;
    }

    /** A taste that comes with the request, as nearly as custom models can say it: away from traffic, on smooth ground. */
    private GHRequest personal(int number, boolean landmarks) {
        CustomModel taste = new CustomModel();
        double dislike = 0.3 + 0.1 * (number % 5);
        taste.addToPriority(Statement.If("road_class == PRIMARY || road_class == SECONDARY || road_class == TERTIARY",
                Statement.Op.MULTIPLY, String.valueOf(dislike)));
        taste.addToPriority(Statement.If("surface == COBBLESTONE || surface == GRAVEL",
                Statement.Op.MULTIPLY, String.valueOf(1.0 - dislike / 2)));
        taste.addToPriority(Statement.If("road_class == STEPS", Statement.Op.MULTIPLY, "0.5"));
        GHRequest request = archetype(number).setCustomModel(taste);
        request.putHint("ch.disable", true);
        request.putHint("lm.disable", !landmarks);
        return request;
    }

    /** For each wanted length, each start and each try: [length in m, share walked twice, ms], or null. */
    private ArrayNode measureLoops() {
        JsonNode wanted = job.get("loops");
        ArrayNode all = JSON.createArrayNode();
        for (int round = 0; round < 2; round++) { // the first one warms up
            all.removeAll();
            for (JsonNode length : wanted.get("lengths_m")) {
                ArrayNode ofLength = all.addArray();
                for (JsonNode start : wanted.get("starts")) {
                    ArrayNode ofStart = ofLength.addArray();
                    for (int seed = 0; seed < wanted.get("tries").asInt(); seed++) {
                        ofStart.add(loop(start, length.asDouble(), seed));
                    }
                }
            }
        }
        return all;
    }

    private JsonNode loop(JsonNode start, double lengthM, int seed) {
        GHRequest request = new GHRequest(List.of(new GHPoint(start.get(0).asDouble(), start.get(1).asDouble())))
                .setProfile(PROFILE).setAlgorithm("round_trip");
        request.putHint("ch.disable", true);
        request.putHint("instructions", false);
        request.putHint("way_point_max_distance", 0); // every point of the way, so that what is walked twice shows
        request.putHint("round_trip.distance", lengthM);
        request.putHint("round_trip.seed", seed);
        double started = cpu();
        GHResponse response = hopper.route(request);
        double spentMs = 1000.0 * (cpu() - started);
        if (response.hasErrors()) {
            return JSON.nullNode();
        }
        ArrayNode figures = JSON.createArrayNode();
        figures.add(response.getBest().getDistance());
        figures.add(walkedTwice(response.getBest().getPoints()));
        return figures.add(spentMs);
    }

    /** The share of a line's length that lies on pieces between two points that it has passed before. */
    private static double walkedTwice(PointList points) {
        Set<String> seen = new HashSet<>();
        double total = 0.0;
        double again = 0.0;
        for (int i = 1; i < points.size(); i++) {
            String from = name(points, i - 1);
            String to = name(points, i);
            double metres = metres(points, i - 1, i);
            total += metres;
            if (!seen.add(from.compareTo(to) < 0 ? from + to : to + from)) {
                again += metres;
            }
        }
        return total == 0.0 ? 0.0 : again / total;
    }

    private static String name(PointList points, int i) {
        return Math.round(points.getLat(i) * 1e6) + "," + Math.round(points.getLon(i) * 1e6) + ";";
    }

    private static double metres(PointList points, int i, int k) {
        double north = Math.toRadians(points.getLat(k) - points.getLat(i));
        double east = Math.toRadians(points.getLon(k) - points.getLon(i)) * Math.cos(Math.toRadians(points.getLat(i)));
        return 6_371_000.0 * Math.hypot(north, east);
    }

    /** CPU time of this thread: the compiler's and the collector's, which share its core, are not in it. */
    private static double cpu() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() * 1e-9;
    }

    private static double now() {
        return System.nanoTime() * 1e-9;
    }
}
