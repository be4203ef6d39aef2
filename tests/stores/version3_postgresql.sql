-- A store of version 3 on PostgreSQL, as the program wrote it: a finished search, one stopped in its second step,
-- and one along a prescribed path.
CREATE TABLE public.candidates (
    step_id integer NOT NULL,
    axis character varying(16) NOT NULL,
    "position" integer NOT NULL,
    reason text,
    factors json,
    geometry json,
    flops bigint,
    params bigint,
    params_without_batchnorm bigint,
    activations bigint,
    cost double precision,
    achieved_rate double precision,
    trial_id character varying(16)
);
CREATE TABLE public.damaged_videos (
    trial_id character varying(16) NOT NULL,
    manifest character varying(16) NOT NULL,
    video_id character varying(16) NOT NULL,
    video text NOT NULL,
    reason text NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL
);
CREATE TABLE public.decisions (
    id integer NOT NULL,
    step_id integer NOT NULL,
    axis character varying(16) NOT NULL,
    factors json NOT NULL,
    cost double precision NOT NULL,
    trial_id character varying(16),
    score double precision,
    ranking json NOT NULL,
    train_top1 double precision,
    decided_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.decisions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.decisions_id_seq OWNED BY public.decisions.id;
CREATE TABLE public.epochs (
    trial_id character varying(16) NOT NULL,
    number integer NOT NULL,
    loss double precision NOT NULL,
    top1 double precision NOT NULL,
    rate double precision NOT NULL,
    seconds double precision NOT NULL,
    clips_per_second double precision,
    waited double precision,
    gpu_memory bigint,
    recorded_at timestamp with time zone NOT NULL
);
CREATE TABLE public.failures (
    id integer NOT NULL,
    search_id integer NOT NULL,
    trial_id character varying(16) NOT NULL,
    number integer NOT NULL,
    reason text NOT NULL,
    traceback text NOT NULL,
    forgiven boolean NOT NULL,
    failed_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.failures_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.failures_id_seq OWNED BY public.failures.id;
CREATE TABLE public.instances (
    search_id integer NOT NULL,
    name character varying(255) NOT NULL,
    bound double precision NOT NULL,
    step integer NOT NULL,
    kind character varying(16) NOT NULL,
    factors json NOT NULL,
    geometry json NOT NULL,
    flops bigint NOT NULL,
    params bigint NOT NULL,
    params_without_batchnorm bigint NOT NULL,
    activations bigint NOT NULL,
    cost double precision NOT NULL,
    trial_id character varying(16),
    score double precision,
    settled_at timestamp with time zone NOT NULL
);
CREATE TABLE public.measurements (
    name character varying(16) NOT NULL,
    device character varying(255) NOT NULL,
    geometry_id character varying(16) NOT NULL,
    geometry json NOT NULL,
    value double precision NOT NULL,
    versions json NOT NULL,
    measured_at timestamp with time zone NOT NULL
);
CREATE TABLE public.searches (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    space json NOT NULL,
    source text NOT NULL,
    overrides json NOT NULL,
    data json,
    runs text NOT NULL,
    versions json NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state character varying(16) NOT NULL,
    reason text,
    host text,
    pid bigint,
    process_started text,
    claimed_at timestamp with time zone,
    last_event_at timestamp with time zone NOT NULL,
    device text
);
CREATE SEQUENCE public.searches_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.searches_id_seq OWNED BY public.searches.id;
CREATE TABLE public.steps (
    id integer NOT NULL,
    search_id integer NOT NULL,
    key character varying(255) NOT NULL,
    number integer NOT NULL,
    kind character varying(16) NOT NULL,
    regime text,
    frontier json NOT NULL,
    frontier_cost double precision NOT NULL,
    bound double precision NOT NULL,
    recipe json NOT NULL,
    started_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.steps_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.steps_id_seq OWNED BY public.steps.id;
CREATE TABLE public.store_info (
    id integer NOT NULL,
    version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_store_info_one_row CHECK ((id = 1))
);
CREATE TABLE public.trials (
    id character varying(16) NOT NULL,
    geometry json NOT NULL,
    recipe json NOT NULL,
    views json NOT NULL,
    data text NOT NULL,
    seed bigint NOT NULL,
    epochs integer NOT NULL,
    enrolled_at timestamp with time zone NOT NULL,
    worker text,
    trained_by integer,
    started_at timestamp with time zone,
    epoch integer,
    completed_at timestamp with time zone,
    top1 double precision,
    top5 double precision,
    loss double precision,
    videos integer,
    seconds double precision,
    weights text,
    damaged json,
    versions json,
    train_top1 double precision,
    device text,
    gpus double precision
);
ALTER TABLE ONLY public.decisions ALTER COLUMN id SET DEFAULT nextval('public.decisions_id_seq'::regclass);
ALTER TABLE ONLY public.failures ALTER COLUMN id SET DEFAULT nextval('public.failures_id_seq'::regclass);
ALTER TABLE ONLY public.searches ALTER COLUMN id SET DEFAULT nextval('public.searches_id_seq'::regclass);
ALTER TABLE ONLY public.steps ALTER COLUMN id SET DEFAULT nextval('public.steps_id_seq'::regclass);
INSERT INTO public.candidates VALUES (1, 'fast', 0, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 259248, 2835, 2595, 19515, 259248, 1.9947063892650498, 'dba71b13fec52c8c');
INSERT INTO public.candidates VALUES (1, 'temporal', 1, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 259248, 2835, 2595, 19515, 259248, 1.9947063892650498, 'dba71b13fec52c8c');
INSERT INTO public.candidates VALUES (1, 'spatial', 2, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 291568, 2835, 2595, 21947, 291568, 2.243382986581312, 'f9b74731bf6b8ead');
INSERT INTO public.candidates VALUES (1, 'depth', 3, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', 279216, 9411, 8595, 19083, 279216, 2.1483442078049984, '6287c0f83fe4009f');
INSERT INTO public.candidates VALUES (1, 'width', 4, 'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (1, 'bottleneck', 5, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 261008, 7803, 7275, 19057, 261008, 2.0082481841684108, '4740a2d501342605');
INSERT INTO public.candidates VALUES (2, 'fast', 0, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 582448, 2835, 2595, 43835, 582448, 1.997640344619437, '17a3be50f32d598f');
INSERT INTO public.candidates VALUES (2, 'temporal', 1, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 582448, 2835, 2595, 43835, 582448, 1.997640344619437, '17a3be50f32d598f');
INSERT INTO public.candidates VALUES (2, 'spatial', 2, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 655168, 2835, 2595, 49307, 655168, 2.247050430774296, '9be1d57c3dd03d22');
INSERT INTO public.candidates VALUES (2, 'depth', 3, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', 626416, 9411, 8595, 42763, 626416, 2.148438786149372, '355d30b108865016');
INSERT INTO public.candidates VALUES (2, 'width', 4, 'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (2, 'bottleneck', 5, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 584608, 7803, 7275, 42737, 584608, 2.0050485650002745, '61f545dbaf78d85f');
INSERT INTO public.candidates VALUES (3, 'spatial', 0, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 396608, 2835, 2595, 29851, 396608, 1.3602590133347967, '5f71904e6030862c');
INSERT INTO public.candidates VALUES (4, 'fast', 0, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 1309648, 2835, 2595, 98555, 1309648, 1.998949887662401, '8c25984ba582a678');
INSERT INTO public.candidates VALUES (4, 'temporal', 1, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 1309648, 2835, 2595, 98555, 1309648, 1.998949887662401, '8c25984ba582a678');
INSERT INTO public.candidates VALUES (4, 'spatial', 2, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 3.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 104, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 1366208, 2835, 2595, 102811, 1366208, 2.0852788902998927, '50acc61799dbb577');
INSERT INTO public.candidates VALUES (4, 'depth', 3, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', 1407616, 9411, 8595, 96043, 1407616, 2.1484810002930548, '11bc263fdaed9a2c');
INSERT INTO public.candidates VALUES (4, 'width', 4, 'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (4, 'bottleneck', 5, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 1312708, 7803, 7275, 96017, 1312708, 2.003620445443001, '7ca4b2938c170134');
INSERT INTO public.candidates VALUES (5, 'fast', 0, 'the smallest has 1.31 MFLOPs, over the bound of 1.01 MFLOPs', '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 1309648, 2835, 2595, 98555, 1309648, 1.998949887662401, NULL);
INSERT INTO public.candidates VALUES (5, 'temporal', 1, 'the largest within 1.01 MFLOPs has 655.2 kFLOPs, no more than the last step within has (655.2 kFLOPs)', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 655168, 2835, 2595, 49307, 655168, 1, NULL);
INSERT INTO public.candidates VALUES (5, 'spatial', 2, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 792528, 2835, 2595, 59643, 792528, 1.2096561492624793, '1aea0f767bc8929d');
INSERT INTO public.candidates VALUES (5, 'depth', 3, 'at 1, depth is the basis'' and does not shrink', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (5, 'width', 4, 'at 1, width is the basis'' and does not shrink', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (5, 'bottleneck', 5, 'at 1, bottleneck is the basis'' and does not shrink', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (6, 'fast', 0, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 259248, 2835, 2595, 19515, 259248, 1.9947063892650498, 'cf17a42938be0afc');
INSERT INTO public.candidates VALUES (6, 'temporal', 1, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 259248, 2835, 2595, 19515, 259248, 1.9947063892650498, 'cf17a42938be0afc');
INSERT INTO public.candidates VALUES (6, 'spatial', 2, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 291568, 2835, 2595, 21947, 291568, 2.243382986581312, '2857df4e28546030');
INSERT INTO public.candidates VALUES (6, 'depth', 3, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', 279216, 9411, 8595, 19083, 279216, 2.1483442078049984, 'c0573a15b5512057');
INSERT INTO public.candidates VALUES (6, 'width', 4, 'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (6, 'bottleneck', 5, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 261008, 7803, 7275, 19057, 261008, 2.0082481841684108, 'f7aa420833607083');
INSERT INTO public.candidates VALUES (7, 'fast', 0, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 519888, 7803, 7275, 38001, 519888, 1.9918469931956109, '7b40ce93232f1efc');
INSERT INTO public.candidates VALUES (7, 'temporal', 1, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 519888, 7803, 7275, 38001, 519888, 1.9918469931956109, '7b40ce93232f1efc');
INSERT INTO public.candidates VALUES (7, 'spatial', 2, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 584608, 7803, 7275, 42737, 584608, 2.2398087414945134, '8afc7a96dcd57233');
INSERT INTO public.candidates VALUES (7, 'depth', 3, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 3.0}', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [3, 3], "classes": 3, "head_width": 16, "stem_kernel": 5}', 503536, 18237, 16989, 30671, 503536, 1.9291975724881996, '8f0237071b5ee80a');
INSERT INTO public.candidates VALUES (7, 'width', 4, 'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (7, 'bottleneck', 5, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 7.75, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [62, 124], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 523088, 17739, 16635, 37597, 523088, 2.004107153803715, '2c247bbd41a1058d');
INSERT INTO public.candidates VALUES (8, 'fast', 0, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 259248, 2835, 2595, 19515, 259248, 1.9947063892650498, NULL);
INSERT INTO public.candidates VALUES (8, 'temporal', 1, NULL, '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 259248, 2835, 2595, 19515, 259248, 1.9947063892650498, NULL);
INSERT INTO public.candidates VALUES (8, 'spatial', 2, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 291568, 2835, 2595, 21947, 291568, 2.243382986581312, NULL);
INSERT INTO public.candidates VALUES (8, 'depth', 3, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', 279216, 9411, 8595, 19083, 279216, 2.1483442078049984, NULL);
INSERT INTO public.candidates VALUES (8, 'width', 4, 'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.candidates VALUES (8, 'bottleneck', 5, NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 261008, 7803, 7275, 19057, 261008, 2.0082481841684108, NULL);
INSERT INTO public.damaged_videos VALUES ('dba71b13fec52c8c', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.284941+00', '2026-11-28 05:37:06.284941+00');
INSERT INTO public.damaged_videos VALUES ('dba71b13fec52c8c', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.284941+00', '2026-11-28 05:37:06.284941+00');
INSERT INTO public.damaged_videos VALUES ('f9b74731bf6b8ead', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.298522+00', '2026-11-28 05:37:06.298522+00');
INSERT INTO public.damaged_videos VALUES ('f9b74731bf6b8ead', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.298522+00', '2026-11-28 05:37:06.298522+00');
INSERT INTO public.damaged_videos VALUES ('6287c0f83fe4009f', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.310364+00', '2026-11-28 05:37:06.310364+00');
INSERT INTO public.damaged_videos VALUES ('6287c0f83fe4009f', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.310364+00', '2026-11-28 05:37:06.310364+00');
INSERT INTO public.damaged_videos VALUES ('4740a2d501342605', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.322633+00', '2026-11-28 05:37:06.322633+00');
INSERT INTO public.damaged_videos VALUES ('4740a2d501342605', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.322633+00', '2026-11-28 05:37:06.322633+00');
INSERT INTO public.damaged_videos VALUES ('17a3be50f32d598f', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.363441+00', '2026-11-28 05:37:06.363441+00');
INSERT INTO public.damaged_videos VALUES ('17a3be50f32d598f', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.363441+00', '2026-11-28 05:37:06.363441+00');
INSERT INTO public.damaged_videos VALUES ('9be1d57c3dd03d22', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.375142+00', '2026-11-28 05:37:06.375142+00');
INSERT INTO public.damaged_videos VALUES ('9be1d57c3dd03d22', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.375142+00', '2026-11-28 05:37:06.375142+00');
INSERT INTO public.damaged_videos VALUES ('355d30b108865016', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.387054+00', '2026-11-28 05:37:06.387054+00');
INSERT INTO public.damaged_videos VALUES ('355d30b108865016', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.387054+00', '2026-11-28 05:37:06.387054+00');
INSERT INTO public.damaged_videos VALUES ('61f545dbaf78d85f', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.400916+00', '2026-11-28 05:37:06.400916+00');
INSERT INTO public.damaged_videos VALUES ('61f545dbaf78d85f', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.400916+00', '2026-11-28 05:37:06.400916+00');
INSERT INTO public.damaged_videos VALUES ('5f71904e6030862c', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.429082+00', '2026-11-28 05:37:06.429082+00');
INSERT INTO public.damaged_videos VALUES ('5f71904e6030862c', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.429082+00', '2026-11-28 05:37:06.429082+00');
INSERT INTO public.damaged_videos VALUES ('8c25984ba582a678', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.463401+00', '2026-11-28 05:37:06.463401+00');
INSERT INTO public.damaged_videos VALUES ('8c25984ba582a678', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.463401+00', '2026-11-28 05:37:06.463401+00');
INSERT INTO public.damaged_videos VALUES ('50acc61799dbb577', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.475836+00', '2026-11-28 05:37:06.475836+00');
INSERT INTO public.damaged_videos VALUES ('50acc61799dbb577', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.475836+00', '2026-11-28 05:37:06.475836+00');
INSERT INTO public.damaged_videos VALUES ('11bc263fdaed9a2c', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.489076+00', '2026-11-28 05:37:06.489076+00');
INSERT INTO public.damaged_videos VALUES ('11bc263fdaed9a2c', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.489076+00', '2026-11-28 05:37:06.489076+00');
INSERT INTO public.damaged_videos VALUES ('7ca4b2938c170134', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.502934+00', '2026-11-28 05:37:06.502934+00');
INSERT INTO public.damaged_videos VALUES ('7ca4b2938c170134', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.502934+00', '2026-11-28 05:37:06.502934+00');
INSERT INTO public.damaged_videos VALUES ('1aea0f767bc8929d', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.545251+00', '2026-11-28 05:37:06.545251+00');
INSERT INTO public.damaged_videos VALUES ('1aea0f767bc8929d', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.545251+00', '2026-11-28 05:37:06.545251+00');
INSERT INTO public.damaged_videos VALUES ('cf17a42938be0afc', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.604889+00', '2026-11-28 05:37:06.604889+00');
INSERT INTO public.damaged_videos VALUES ('cf17a42938be0afc', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.604889+00', '2026-11-28 05:37:06.604889+00');
INSERT INTO public.damaged_videos VALUES ('2857df4e28546030', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.619506+00', '2026-11-28 05:37:06.619506+00');
INSERT INTO public.damaged_videos VALUES ('2857df4e28546030', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.619506+00', '2026-11-28 05:37:06.619506+00');
INSERT INTO public.damaged_videos VALUES ('c0573a15b5512057', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.634567+00', '2026-11-28 05:37:06.634567+00');
INSERT INTO public.damaged_videos VALUES ('c0573a15b5512057', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.634567+00', '2026-11-28 05:37:06.634567+00');
INSERT INTO public.damaged_videos VALUES ('f7aa420833607083', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.649587+00', '2026-11-28 05:37:06.649587+00');
INSERT INTO public.damaged_videos VALUES ('f7aa420833607083', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.649587+00', '2026-11-28 05:37:06.649587+00');
INSERT INTO public.damaged_videos VALUES ('7b40ce93232f1efc', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.687449+00', '2026-11-28 05:37:06.687449+00');
INSERT INTO public.damaged_videos VALUES ('7b40ce93232f1efc', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.687449+00', '2026-11-28 05:37:06.687449+00');
INSERT INTO public.damaged_videos VALUES ('8afc7a96dcd57233', 'train', '57feca19c50b1d62', 'a.mp4', 'no frame', '2026-11-28 05:37:06.700342+00', '2026-11-28 05:37:06.700342+00');
INSERT INTO public.damaged_videos VALUES ('8afc7a96dcd57233', 'val', '583278a2d127de30', 'b.mp4', 'no frame', '2026-11-28 05:37:06.700342+00', '2026-11-28 05:37:06.700342+00');
INSERT INTO public.decisions VALUES (1, 1, 'spatial', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 291568, 'f9b74731bf6b8ead', 0.9754528517369181, '[{"axis": "spatial", "flops": 291568, "trial": "f9b74731bf6b8ead", "score": 0.9754528517369181, "reason": null}, {"axis": "fast", "flops": 259248, "trial": "dba71b13fec52c8c", "score": 0.8580185815226287, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": "dba71b13fec52c8c", "score": 0.8580185815226287, "reason": null}, {"axis": "depth", "flops": 279216, "trial": "6287c0f83fe4009f", "score": 0.384883938357234, "reason": null}, {"axis": "bottleneck", "flops": 261008, "trial": "4740a2d501342605", "score": 0.2783300180453807, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]', 0.7, '2026-11-28 05:37:06.331009+00');
INSERT INTO public.decisions VALUES (2, 2, 'spatial', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 655168, '9be1d57c3dd03d22', 0.6089147021993995, '[{"axis": "spatial", "flops": 655168, "trial": "9be1d57c3dd03d22", "score": 0.6089147021993995, "reason": null}, {"axis": "bottleneck", "flops": 584608, "trial": "61f545dbaf78d85f", "score": 0.38264881703071296, "reason": null}, {"axis": "depth", "flops": 626416, "trial": "355d30b108865016", "score": 0.20845321961678565, "reason": null}, {"axis": "fast", "flops": 582448, "trial": "17a3be50f32d598f", "score": 0.09234227612614632, "reason": null}, {"axis": "temporal", "flops": 582448, "trial": "17a3be50f32d598f", "score": 0.09234227612614632, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]', 0.7, '2026-11-28 05:37:06.408201+00');
INSERT INTO public.decisions VALUES (3, 3, 'spatial', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 396608, '5f71904e6030862c', 0.37282659439370036, '[{"axis": "spatial", "flops": 396608, "trial": "5f71904e6030862c", "score": 0.37282659439370036, "reason": null}]', 0.7, '2026-11-28 05:37:06.437287+00');
INSERT INTO public.decisions VALUES (4, 4, 'fast', '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 1309648, '8c25984ba582a678', 0.5474486525636166, '[{"axis": "fast", "flops": 1309648, "trial": "8c25984ba582a678", "score": 0.5474486525636166, "reason": null}, {"axis": "temporal", "flops": 1309648, "trial": "8c25984ba582a678", "score": 0.5474486525636166, "reason": null}, {"axis": "bottleneck", "flops": 1312708, "trial": "7ca4b2938c170134", "score": 0.48688808525912464, "reason": null}, {"axis": "spatial", "flops": 1366208, "trial": "50acc61799dbb577", "score": 0.31513631879352033, "reason": null}, {"axis": "depth", "flops": 1407616, "trial": "11bc263fdaed9a2c", "score": 0.06927718198858202, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]', 0.7, '2026-11-28 05:37:06.513299+00');
INSERT INTO public.decisions VALUES (5, 5, 'spatial', '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 792528, '1aea0f767bc8929d', 0.10513397818431258, '[{"axis": "spatial", "flops": 792528, "trial": "1aea0f767bc8929d", "score": 0.10513397818431258, "reason": null}, {"axis": "fast", "flops": 1309648, "trial": null, "score": null, "reason": "the smallest has 1.31 MFLOPs, over the bound of 1.01 MFLOPs"}, {"axis": "temporal", "flops": 655168, "trial": null, "score": null, "reason": "the largest within 1.01 MFLOPs has 655.2 kFLOPs, no more than the last step within has (655.2 kFLOPs)"}, {"axis": "depth", "flops": null, "trial": null, "score": null, "reason": "at 1, depth is the basis'' and does not shrink"}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "at 1, width is the basis'' and does not shrink"}, {"axis": "bottleneck", "flops": null, "trial": null, "score": null, "reason": "at 1, bottleneck is the basis'' and does not shrink"}]', 0.7, '2026-11-28 05:37:06.554873+00');
INSERT INTO public.decisions VALUES (6, 6, 'bottleneck', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', 261008, 'f7aa420833607083', 0.9674416799098253, '[{"axis": "bottleneck", "flops": 261008, "trial": "f7aa420833607083", "score": 0.9674416799098253, "reason": null}, {"axis": "fast", "flops": 259248, "trial": "cf17a42938be0afc", "score": 0.808954486856237, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": "cf17a42938be0afc", "score": 0.808954486856237, "reason": null}, {"axis": "depth", "flops": 279216, "trial": "c0573a15b5512057", "score": 0.751330976607278, "reason": null}, {"axis": "spatial", "flops": 291568, "trial": "2857df4e28546030", "score": 0.15759082464501262, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]', 0.7, '2026-11-28 05:37:06.657004+00');
INSERT INTO public.decisions VALUES (7, 8, 'depth', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}', 279216, NULL, NULL, '[{"axis": "fast", "flops": 259248, "trial": null, "score": null, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": null, "score": null, "reason": null}, {"axis": "spatial", "flops": 291568, "trial": null, "score": null, "reason": null}, {"axis": "depth", "flops": 279216, "trial": null, "score": null, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}, {"axis": "bottleneck", "flops": 261008, "trial": null, "score": null, "reason": null}]', NULL, '2026-11-28 05:37:06.723428+00');
INSERT INTO public.epochs VALUES ('dba71b13fec52c8c', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.276349+00');
INSERT INTO public.epochs VALUES ('dba71b13fec52c8c', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.28164+00');
INSERT INTO public.epochs VALUES ('f9b74731bf6b8ead', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.291667+00');
INSERT INTO public.epochs VALUES ('f9b74731bf6b8ead', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.295134+00');
INSERT INTO public.epochs VALUES ('6287c0f83fe4009f', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.304443+00');
INSERT INTO public.epochs VALUES ('6287c0f83fe4009f', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.307374+00');
INSERT INTO public.epochs VALUES ('4740a2d501342605', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.316227+00');
INSERT INTO public.epochs VALUES ('4740a2d501342605', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.319376+00');
INSERT INTO public.epochs VALUES ('17a3be50f32d598f', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.357327+00');
INSERT INTO public.epochs VALUES ('17a3be50f32d598f', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.360541+00');
INSERT INTO public.epochs VALUES ('9be1d57c3dd03d22', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.369309+00');
INSERT INTO public.epochs VALUES ('9be1d57c3dd03d22', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.372233+00');
INSERT INTO public.epochs VALUES ('355d30b108865016', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.381197+00');
INSERT INTO public.epochs VALUES ('355d30b108865016', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.384212+00');
INSERT INTO public.epochs VALUES ('61f545dbaf78d85f', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.393889+00');
INSERT INTO public.epochs VALUES ('61f545dbaf78d85f', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.397345+00');
INSERT INTO public.epochs VALUES ('5f71904e6030862c', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.422308+00');
INSERT INTO public.epochs VALUES ('5f71904e6030862c', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.425581+00');
INSERT INTO public.epochs VALUES ('8c25984ba582a678', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.457717+00');
INSERT INTO public.epochs VALUES ('8c25984ba582a678', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.460652+00');
INSERT INTO public.epochs VALUES ('50acc61799dbb577', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.46889+00');
INSERT INTO public.epochs VALUES ('50acc61799dbb577', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.47212+00');
INSERT INTO public.epochs VALUES ('11bc263fdaed9a2c', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.482357+00');
INSERT INTO public.epochs VALUES ('11bc263fdaed9a2c', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.485707+00');
INSERT INTO public.epochs VALUES ('7ca4b2938c170134', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.494773+00');
INSERT INTO public.epochs VALUES ('7ca4b2938c170134', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.498802+00');
INSERT INTO public.epochs VALUES ('1aea0f767bc8929d', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.536884+00');
INSERT INTO public.epochs VALUES ('1aea0f767bc8929d', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.541261+00');
INSERT INTO public.epochs VALUES ('cf17a42938be0afc', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.597204+00');
INSERT INTO public.epochs VALUES ('cf17a42938be0afc', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.601005+00');
INSERT INTO public.epochs VALUES ('2857df4e28546030', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.611928+00');
INSERT INTO public.epochs VALUES ('2857df4e28546030', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.615676+00');
INSERT INTO public.epochs VALUES ('c0573a15b5512057', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.627317+00');
INSERT INTO public.epochs VALUES ('c0573a15b5512057', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.630914+00');
INSERT INTO public.epochs VALUES ('f7aa420833607083', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.641984+00');
INSERT INTO public.epochs VALUES ('f7aa420833607083', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.645582+00');
INSERT INTO public.epochs VALUES ('7b40ce93232f1efc', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.68005+00');
INSERT INTO public.epochs VALUES ('7b40ce93232f1efc', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.683742+00');
INSERT INTO public.epochs VALUES ('8afc7a96dcd57233', 1, 0.1, 0.7, 0.30000000000000004, 0.001, NULL, NULL, NULL, '2026-11-28 05:37:06.693972+00');
INSERT INTO public.epochs VALUES ('8afc7a96dcd57233', 2, 0.05, 0.7, 0.30000000000000004, 0.001, 33.333333333333336, 0.19999999999999998, 1099511627777, '2026-11-28 05:37:06.697316+00');
INSERT INTO public.failures VALUES (1, 1, 'dba71b13fec52c8c', 1, 'out of memory, 0 to go', 'Traceback ...', false, '2026-11-28 05:37:06.263988+00');
INSERT INTO public.instances VALUES (1, 'T-S', 400000, 2, 'contraction', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 396608, 2835, 2595, 29851, 396608, '5f71904e6030862c', 0.37282659439370036, '2026-11-28 05:37:06.43868+00');
INSERT INTO public.instances VALUES (1, 'T-M', 1000000, 3, 'contraction', '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 792528, 2835, 2595, 59643, 792528, '1aea0f767bc8929d', 0.10513397818431258, '2026-11-28 05:37:06.556552+00');
INSERT INTO public.searches VALUES (1, 'finished', '{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": [], "path_is": "assumed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true, "precision": "bfloat16", "precise_batchnorm": 0, "short_videos": "loop"}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "seconds_per_video": 120.0, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus_per_trial": 0.0, "workers_per_trial": null, "least_workers": null, "loader_workers": 0, "micro_batch": null, "gradient_checkpointing": null}, "failures": {"retries": 1, "then": "stop"}, "watch": {"mlflow": null}, "seed": 0}', 'tiny.yaml', '["recipe.epochs=2"]', '{"fingerprint": "da7ada7ada7ada7a", "train": {"videos": 12}}', 'runs/first', '{"expander": "0.1.0"}', '2026-11-28 05:37:06.231773+00', 'completed', 'every regime has its instance', NULL, NULL, NULL, NULL, '2026-11-28 05:37:06.561521+00', NULL);
INSERT INTO public.searches VALUES (2, 'stopped', '{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": [], "path_is": "assumed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true, "precision": "bfloat16", "precise_batchnorm": 0, "short_videos": "loop"}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "seconds_per_video": 120.0, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus_per_trial": 0.0, "workers_per_trial": null, "least_workers": null, "loader_workers": 0, "micro_batch": null, "gradient_checkpointing": null}, "failures": {"retries": 1, "then": "stop"}, "watch": {"mlflow": null}, "seed": 7}', 'tiny.yaml', '["recipe.epochs=2"]', '{"fingerprint": "da7ada7ada7ada7a", "train": {"videos": 12}}', 'runs/first', '{"expander": "0.1.0"}', '2026-11-28 05:37:06.568266+00', 'interrupted', 'stopped by a signal', NULL, NULL, NULL, NULL, '2026-11-28 05:37:06.699459+00', NULL);
INSERT INTO public.searches VALUES (3, 'path', '{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": ["depth", "fast", "spatial"], "path_is": "prescribed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true, "precision": "bfloat16", "precise_batchnorm": 0, "short_videos": "loop"}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "seconds_per_video": 120.0, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus_per_trial": 0.0, "workers_per_trial": null, "least_workers": null, "loader_workers": 0, "micro_batch": null, "gradient_checkpointing": null}, "failures": {"retries": 1, "then": "stop"}, "watch": {"mlflow": null}, "seed": 0}', 'tiny.yaml', '["recipe.epochs=2"]', '{"fingerprint": "da7ada7ada7ada7a", "train": {"videos": 12}}', 'runs/first', '{"expander": "0.1.0"}', '2026-11-28 05:37:06.704648+00', 'interrupted', 'stopped by a signal', NULL, NULL, NULL, NULL, '2026-11-28 05:37:06.721233+00', NULL);
INSERT INTO public.steps VALUES (1, 1, '1', 1, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 129968, 259936, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 05:37:06.252084+00');
INSERT INTO public.steps VALUES (2, 1, '2', 2, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 291568, 583136, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 05:37:06.348023+00');
INSERT INTO public.steps VALUES (3, 1, '2-T-S', 2, 'contraction', 'T-S', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 291568, 404000, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 05:37:06.414934+00');
INSERT INTO public.steps VALUES (4, 1, '3', 3, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 655168, 1310336, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 05:37:06.449622+00');
INSERT INTO public.steps VALUES (5, 1, '3-T-M', 3, 'contraction', 'T-M', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 655168, 1010000, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 05:37:06.524776+00');
INSERT INTO public.steps VALUES (6, 2, '1', 1, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 129968, 259936, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 05:37:06.588825+00');
INSERT INTO public.steps VALUES (7, 2, '2', 2, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', 261008, 522016, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 05:37:06.670912+00');
INSERT INTO public.steps VALUES (8, 3, '1', 1, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 129968, 259936, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 05:37:06.71663+00');
INSERT INTO public.store_info VALUES (1, 3, '2026-11-28 05:37:06.228367+00');
INSERT INTO public.trials VALUES ('dba71b13fec52c8c', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.250425+00', NULL, 1, '2026-11-28 05:37:06.273133+00', 2, '2026-11-28 05:37:06.284941+00', 0.8580185815226287, 1, 0.3333333333333333, 9, 1.25, 'runs/dba71b13fec52c8c/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('8c25984ba582a678', '{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.448762+00', NULL, 1, '2026-11-28 05:37:06.455306+00', 2, '2026-11-28 05:37:06.463401+00', 0.5474486525636166, 1, 0.3333333333333333, 9, 1.25, 'runs/8c25984ba582a678/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('1aea0f767bc8929d', '{"frames": 2, "stride": 4, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.52326+00', NULL, 1, '2026-11-28 05:37:06.533134+00', 2, '2026-11-28 05:37:06.545251+00', 0.10513397818431258, 1, 0.3333333333333333, 9, 1.25, 'runs/1aea0f767bc8929d/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('50acc61799dbb577', '{"frames": 1, "stride": null, "crop": 104, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.446759+00', NULL, 1, '2026-11-28 05:37:06.466551+00', 2, '2026-11-28 05:37:06.475836+00', 0.31513631879352033, 1, 0.3333333333333333, 9, 1.25, 'runs/50acc61799dbb577/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('17a3be50f32d598f', '{"frames": 2, "stride": 4, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.342966+00', NULL, 1, '2026-11-28 05:37:06.354226+00', 2, '2026-11-28 05:37:06.363441+00', 0.09234227612614632, 1, 0.3333333333333333, 9, 1.25, 'runs/17a3be50f32d598f/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('7ca4b2938c170134', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.4479+00', NULL, 1, '2026-11-28 05:37:06.492463+00', 2, '2026-11-28 05:37:06.502934+00', 0.48688808525912464, 1, 0.3333333333333333, 9, 1.25, 'runs/7ca4b2938c170134/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('6287c0f83fe4009f', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.249528+00', NULL, 1, '2026-11-28 05:37:06.302243+00', 2, '2026-11-28 05:37:06.310364+00', 0.384883938357234, 1, 0.3333333333333333, 9, 1.25, 'runs/6287c0f83fe4009f/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('355d30b108865016', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.344649+00', NULL, 1, '2026-11-28 05:37:06.378733+00', 2, '2026-11-28 05:37:06.387054+00', 0.20845321961678565, 1, 0.3333333333333333, 9, 1.25, 'runs/355d30b108865016/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('f9b74731bf6b8ead', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.251262+00', NULL, 1, '2026-11-28 05:37:06.289363+00', 2, '2026-11-28 05:37:06.298522+00', 0.9754528517369181, 1, 0.3333333333333333, 9, 1.25, 'runs/f9b74731bf6b8ead/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('4740a2d501342605', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.247871+00', NULL, 1, '2026-11-28 05:37:06.313861+00', 2, '2026-11-28 05:37:06.322633+00', 0.2783300180453807, 1, 0.3333333333333333, 9, 1.25, 'runs/4740a2d501342605/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('9be1d57c3dd03d22', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.347026+00', NULL, 1, '2026-11-28 05:37:06.366895+00', 2, '2026-11-28 05:37:06.375142+00', 0.6089147021993995, 1, 0.3333333333333333, 9, 1.25, 'runs/9be1d57c3dd03d22/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('61f545dbaf78d85f', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.345865+00', NULL, 1, '2026-11-28 05:37:06.391065+00', 2, '2026-11-28 05:37:06.400916+00', 0.38264881703071296, 1, 0.3333333333333333, 9, 1.25, 'runs/61f545dbaf78d85f/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('5f71904e6030862c', '{"frames": 1, "stride": null, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.413874+00', NULL, 1, '2026-11-28 05:37:06.419988+00', 2, '2026-11-28 05:37:06.429082+00', 0.37282659439370036, 1, 0.3333333333333333, 9, 1.25, 'runs/5f71904e6030862c/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('11bc263fdaed9a2c', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 05:37:06.445663+00', NULL, 1, '2026-11-28 05:37:06.4797+00', 2, '2026-11-28 05:37:06.489076+00', 0.06927718198858202, 1, 0.3333333333333333, 9, 1.25, 'runs/11bc263fdaed9a2c/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('c0573a15b5512057', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 05:37:06.585221+00', NULL, 2, '2026-11-28 05:37:06.624239+00', 2, '2026-11-28 05:37:06.634567+00', 0.751330976607278, 1, 0.3333333333333333, 9, 1.25, 'runs/c0573a15b5512057/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('2c247bbd41a1058d', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [62, 124], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 05:37:06.66603+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.trials VALUES ('cf17a42938be0afc', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 05:37:06.586465+00', NULL, 2, '2026-11-28 05:37:06.594762+00', 2, '2026-11-28 05:37:06.604889+00', 0.808954486856237, 1, 0.3333333333333333, 9, 1.25, 'runs/cf17a42938be0afc/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('7b40ce93232f1efc', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 05:37:06.667421+00', NULL, 2, '2026-11-28 05:37:06.677352+00', 2, '2026-11-28 05:37:06.687449+00', 0.48145762528292835, 1, 0.3333333333333333, 9, 1.25, 'runs/7b40ce93232f1efc/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('8f0237071b5ee80a', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [3, 3], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 05:37:06.669848+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.trials VALUES ('2857df4e28546030', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 05:37:06.583532+00', NULL, 2, '2026-11-28 05:37:06.609031+00', 2, '2026-11-28 05:37:06.619506+00', 0.15759082464501262, 1, 0.3333333333333333, 9, 1.25, 'runs/2857df4e28546030/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('f7aa420833607083', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 05:37:06.587639+00', NULL, 2, '2026-11-28 05:37:06.639057+00', 2, '2026-11-28 05:37:06.649587+00', 0.9674416799098253, 1, 0.3333333333333333, 9, 1.25, 'runs/f7aa420833607083/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
INSERT INTO public.trials VALUES ('8afc7a96dcd57233', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 05:37:06.668634+00', NULL, 2, '2026-11-28 05:37:06.69152+00', 2, '2026-11-28 05:37:06.700342+00', 0.5429150215350091, 1, 0.3333333333333333, 9, 1.25, 'runs/8afc7a96dcd57233/weights', '["a.mp4: no frame", "b.mp4: no frame"]', '{"torch": "2.6"}', 0.7, 'NVIDIA H100 80GB HBM3', 1);
SELECT pg_catalog.setval('public.decisions_id_seq', 7, true);
SELECT pg_catalog.setval('public.failures_id_seq', 1, true);
SELECT pg_catalog.setval('public.searches_id_seq', 3, true);
SELECT pg_catalog.setval('public.steps_id_seq', 8, true);
ALTER TABLE ONLY public.candidates
    ADD CONSTRAINT pk_candidates PRIMARY KEY (step_id, axis);
ALTER TABLE ONLY public.damaged_videos
    ADD CONSTRAINT pk_damaged_videos PRIMARY KEY (trial_id, manifest, video_id);
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT pk_decisions PRIMARY KEY (id);
ALTER TABLE ONLY public.epochs
    ADD CONSTRAINT pk_epochs PRIMARY KEY (trial_id, number);
ALTER TABLE ONLY public.failures
    ADD CONSTRAINT pk_failures PRIMARY KEY (id);
ALTER TABLE ONLY public.instances
    ADD CONSTRAINT pk_instances PRIMARY KEY (search_id, name);
ALTER TABLE ONLY public.measurements
    ADD CONSTRAINT pk_measurements PRIMARY KEY (name, device, geometry_id);
ALTER TABLE ONLY public.searches
    ADD CONSTRAINT pk_searches PRIMARY KEY (id);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT pk_steps PRIMARY KEY (id);
ALTER TABLE ONLY public.store_info
    ADD CONSTRAINT pk_store_info PRIMARY KEY (id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT pk_trials PRIMARY KEY (id);
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT uq_decisions_step_id UNIQUE (step_id);
ALTER TABLE ONLY public.failures
    ADD CONSTRAINT uq_failures_search_id_trial_id_number UNIQUE (search_id, trial_id, number);
ALTER TABLE ONLY public.searches
    ADD CONSTRAINT uq_searches_name UNIQUE (name);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT uq_steps_search_id_key UNIQUE (search_id, key);
CREATE INDEX ix_candidates_trial_id ON public.candidates USING btree (trial_id);
CREATE INDEX ix_decisions_trial_id ON public.decisions USING btree (trial_id);
CREATE INDEX ix_failures_trial_id ON public.failures USING btree (trial_id);
CREATE INDEX ix_instances_trial_id ON public.instances USING btree (trial_id);
CREATE INDEX ix_trials_trained_by ON public.trials USING btree (trained_by);
ALTER TABLE ONLY public.candidates
    ADD CONSTRAINT fk_candidates_step_id FOREIGN KEY (step_id) REFERENCES public.steps(id);
ALTER TABLE ONLY public.candidates
    ADD CONSTRAINT fk_candidates_trial_id FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.damaged_videos
    ADD CONSTRAINT fk_damaged_videos_trial_id FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT fk_decisions_step_id FOREIGN KEY (step_id) REFERENCES public.steps(id);
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT fk_decisions_trial_id FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.epochs
    ADD CONSTRAINT fk_epochs_trial_id FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.failures
    ADD CONSTRAINT fk_failures_search_id FOREIGN KEY (search_id) REFERENCES public.searches(id);
ALTER TABLE ONLY public.failures
    ADD CONSTRAINT fk_failures_trial_id FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.instances
    ADD CONSTRAINT fk_instances_search_id FOREIGN KEY (search_id) REFERENCES public.searches(id);
ALTER TABLE ONLY public.instances
    ADD CONSTRAINT fk_instances_trial_id FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT fk_steps_search_id FOREIGN KEY (search_id) REFERENCES public.searches(id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT fk_trials_trained_by FOREIGN KEY (trained_by) REFERENCES public.searches(id);
