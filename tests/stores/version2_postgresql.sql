-- A store of version 2 on PostgreSQL, as the program wrote it: a finished search, one stopped in its second step,
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
CREATE TABLE public.decisions (
    id integer NOT NULL,
    step_id integer NOT NULL,
    axis character varying(16) NOT NULL,
    factors json NOT NULL,
    cost double precision NOT NULL,
    trial_id character varying(16),
    score double precision,
    ranking json NOT NULL,
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
    versions json
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
INSERT INTO public.decisions VALUES (1, 1, 'spatial', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 291568, 'f9b74731bf6b8ead', 0.9754528517369181, '[{"axis": "spatial", "flops": 291568, "trial": "f9b74731bf6b8ead", "score": 0.9754528517369181, "reason": null}, {"axis": "fast", "flops": 259248, "trial": "dba71b13fec52c8c", "score": 0.8580185815226287, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": "dba71b13fec52c8c", "score": 0.8580185815226287, "reason": null}, {"axis": "depth", "flops": 279216, "trial": "6287c0f83fe4009f", "score": 0.384883938357234, "reason": null}, {"axis": "bottleneck", "flops": 261008, "trial": "4740a2d501342605", "score": 0.2783300180453807, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]', '2026-11-28 02:55:04.561324+00');
INSERT INTO public.decisions VALUES (2, 2, 'spatial', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 655168, '9be1d57c3dd03d22', 0.6089147021993995, '[{"axis": "spatial", "flops": 655168, "trial": "9be1d57c3dd03d22", "score": 0.6089147021993995, "reason": null}, {"axis": "bottleneck", "flops": 584608, "trial": "61f545dbaf78d85f", "score": 0.38264881703071296, "reason": null}, {"axis": "depth", "flops": 626416, "trial": "355d30b108865016", "score": 0.20845321961678565, "reason": null}, {"axis": "fast", "flops": 582448, "trial": "17a3be50f32d598f", "score": 0.09234227612614632, "reason": null}, {"axis": "temporal", "flops": 582448, "trial": "17a3be50f32d598f", "score": 0.09234227612614632, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]', '2026-11-28 02:55:04.731671+00');
INSERT INTO public.decisions VALUES (3, 3, 'spatial', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 396608, '5f71904e6030862c', 0.37282659439370036, '[{"axis": "spatial", "flops": 396608, "trial": "5f71904e6030862c", "score": 0.37282659439370036, "reason": null}]', '2026-11-28 02:55:04.795172+00');
INSERT INTO public.decisions VALUES (4, 4, 'fast', '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 1309648, '8c25984ba582a678', 0.5474486525636166, '[{"axis": "fast", "flops": 1309648, "trial": "8c25984ba582a678", "score": 0.5474486525636166, "reason": null}, {"axis": "temporal", "flops": 1309648, "trial": "8c25984ba582a678", "score": 0.5474486525636166, "reason": null}, {"axis": "bottleneck", "flops": 1312708, "trial": "7ca4b2938c170134", "score": 0.48688808525912464, "reason": null}, {"axis": "spatial", "flops": 1366208, "trial": "50acc61799dbb577", "score": 0.31513631879352033, "reason": null}, {"axis": "depth", "flops": 1407616, "trial": "11bc263fdaed9a2c", "score": 0.06927718198858202, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]', '2026-11-28 02:55:04.94627+00');
INSERT INTO public.decisions VALUES (5, 5, 'spatial', '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 792528, '1aea0f767bc8929d', 0.10513397818431258, '[{"axis": "spatial", "flops": 792528, "trial": "1aea0f767bc8929d", "score": 0.10513397818431258, "reason": null}, {"axis": "fast", "flops": 1309648, "trial": null, "score": null, "reason": "the smallest has 1.31 MFLOPs, over the bound of 1.01 MFLOPs"}, {"axis": "temporal", "flops": 655168, "trial": null, "score": null, "reason": "the largest within 1.01 MFLOPs has 655.2 kFLOPs, no more than the last step within has (655.2 kFLOPs)"}, {"axis": "depth", "flops": null, "trial": null, "score": null, "reason": "at 1, depth is the basis'' and does not shrink"}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "at 1, width is the basis'' and does not shrink"}, {"axis": "bottleneck", "flops": null, "trial": null, "score": null, "reason": "at 1, bottleneck is the basis'' and does not shrink"}]', '2026-11-28 02:55:05.016707+00');
INSERT INTO public.decisions VALUES (6, 6, 'bottleneck', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', 261008, 'f7aa420833607083', 0.9674416799098253, '[{"axis": "bottleneck", "flops": 261008, "trial": "f7aa420833607083", "score": 0.9674416799098253, "reason": null}, {"axis": "fast", "flops": 259248, "trial": "cf17a42938be0afc", "score": 0.808954486856237, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": "cf17a42938be0afc", "score": 0.808954486856237, "reason": null}, {"axis": "depth", "flops": 279216, "trial": "c0573a15b5512057", "score": 0.751330976607278, "reason": null}, {"axis": "spatial", "flops": 291568, "trial": "2857df4e28546030", "score": 0.15759082464501262, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]', '2026-11-28 02:55:05.177311+00');
INSERT INTO public.decisions VALUES (7, 8, 'depth', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}', 279216, NULL, NULL, '[{"axis": "fast", "flops": 259248, "trial": null, "score": null, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": null, "score": null, "reason": null}, {"axis": "spatial", "flops": 291568, "trial": null, "score": null, "reason": null}, {"axis": "depth", "flops": 279216, "trial": null, "score": null, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}, {"axis": "bottleneck", "flops": 261008, "trial": null, "score": null, "reason": null}]', '2026-11-28 02:55:05.292422+00');
INSERT INTO public.epochs VALUES ('dba71b13fec52c8c', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.427687+00');
INSERT INTO public.epochs VALUES ('dba71b13fec52c8c', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.440458+00');
INSERT INTO public.epochs VALUES ('f9b74731bf6b8ead', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.465919+00');
INSERT INTO public.epochs VALUES ('f9b74731bf6b8ead', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.473425+00');
INSERT INTO public.epochs VALUES ('6287c0f83fe4009f', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.494685+00');
INSERT INTO public.epochs VALUES ('6287c0f83fe4009f', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.509441+00');
INSERT INTO public.epochs VALUES ('4740a2d501342605', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.5301+00');
INSERT INTO public.epochs VALUES ('4740a2d501342605', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.535546+00');
INSERT INTO public.epochs VALUES ('17a3be50f32d598f', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.6102+00');
INSERT INTO public.epochs VALUES ('17a3be50f32d598f', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.619564+00');
INSERT INTO public.epochs VALUES ('9be1d57c3dd03d22', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.640046+00');
INSERT INTO public.epochs VALUES ('9be1d57c3dd03d22', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.649483+00');
INSERT INTO public.epochs VALUES ('355d30b108865016', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.667133+00');
INSERT INTO public.epochs VALUES ('355d30b108865016', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.672748+00');
INSERT INTO public.epochs VALUES ('61f545dbaf78d85f', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.693762+00');
INSERT INTO public.epochs VALUES ('61f545dbaf78d85f', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.70542+00');
INSERT INTO public.epochs VALUES ('5f71904e6030862c', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.767545+00');
INSERT INTO public.epochs VALUES ('5f71904e6030862c', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.774796+00');
INSERT INTO public.epochs VALUES ('8c25984ba582a678', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.844188+00');
INSERT INTO public.epochs VALUES ('8c25984ba582a678', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.850586+00');
INSERT INTO public.epochs VALUES ('50acc61799dbb577', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.867185+00');
INSERT INTO public.epochs VALUES ('50acc61799dbb577', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.874669+00');
INSERT INTO public.epochs VALUES ('11bc263fdaed9a2c', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.895955+00');
INSERT INTO public.epochs VALUES ('11bc263fdaed9a2c', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.90435+00');
INSERT INTO public.epochs VALUES ('7ca4b2938c170134', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.919704+00');
INSERT INTO public.epochs VALUES ('7ca4b2938c170134', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.923797+00');
INSERT INTO public.epochs VALUES ('1aea0f767bc8929d', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.992301+00');
INSERT INTO public.epochs VALUES ('1aea0f767bc8929d', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:04.996093+00');
INSERT INTO public.epochs VALUES ('cf17a42938be0afc', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.090448+00');
INSERT INTO public.epochs VALUES ('cf17a42938be0afc', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.096963+00');
INSERT INTO public.epochs VALUES ('2857df4e28546030', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.112958+00');
INSERT INTO public.epochs VALUES ('2857df4e28546030', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.117368+00');
INSERT INTO public.epochs VALUES ('c0573a15b5512057', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.134682+00');
INSERT INTO public.epochs VALUES ('c0573a15b5512057', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.139853+00');
INSERT INTO public.epochs VALUES ('f7aa420833607083', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.153022+00');
INSERT INTO public.epochs VALUES ('f7aa420833607083', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.160688+00');
INSERT INTO public.epochs VALUES ('7b40ce93232f1efc', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.220033+00');
INSERT INTO public.epochs VALUES ('7b40ce93232f1efc', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.225346+00');
INSERT INTO public.epochs VALUES ('8afc7a96dcd57233', 1, 0.1, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.243882+00');
INSERT INTO public.epochs VALUES ('8afc7a96dcd57233', 2, 0.05, 0.7, 0.30000000000000004, 0.001, '2026-11-28 02:55:05.248659+00');
INSERT INTO public.failures VALUES (1, 1, 'dba71b13fec52c8c', 1, 'out of memory, 0 to go', 'Traceback ...', false, '2026-11-28 02:55:04.397448+00');
INSERT INTO public.instances VALUES (1, 'T-S', 400000, 2, 'contraction', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 1, "stride": null, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 396608, 2835, 2595, 29851, 396608, '5f71904e6030862c', 0.37282659439370036, '2026-11-28 02:55:04.800121+00');
INSERT INTO public.instances VALUES (1, 'T-M', 1000000, 3, 'contraction', '{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', '{"frames": 2, "stride": 4, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', 792528, 2835, 2595, 59643, 792528, '1aea0f767bc8929d', 0.10513397818431258, '2026-11-28 02:55:05.018406+00');
INSERT INTO public.searches VALUES (1, 'finished', '{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": [], "path_is": "assumed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus": 0.0, "loader_workers": 0}, "failures": {"retries": 1, "then": "stop"}, "seed": 0}', 'tiny.yaml', '["recipe.epochs=2"]', '{"id": "da7ada7ada7ada7a", "train": {"videos": 12, "classes": 3, "sha256": "0000000000000000000000000000000000000000000000000000000000000000"}, "val": {"videos": 9, "classes": 3, "sha256": "1111111111111111111111111111111111111111111111111111111111111111"}}', 'runs/finished', '{"torch": "2.6"}', '2026-11-28 02:55:04.287067+00', 'completed', 'every regime has its instance', NULL, NULL, NULL, NULL, '2026-11-28 02:55:05.03214+00', NULL);
INSERT INTO public.searches VALUES (2, 'stopped', '{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": [], "path_is": "assumed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus": 0.0, "loader_workers": 0}, "failures": {"retries": 1, "then": "stop"}, "seed": 7}', 'tiny.yaml', '[]', '{"id": "da7ada7ada7ada7a", "train": {"videos": 12, "classes": 3, "sha256": "0000000000000000000000000000000000000000000000000000000000000000"}, "val": {"videos": 9, "classes": 3, "sha256": "1111111111111111111111111111111111111111111111111111111111111111"}}', 'runs/stopped', '{"torch": "2.6"}', '2026-11-28 02:55:05.039795+00', 'interrupted', 'stopped by a signal', NULL, NULL, NULL, NULL, '2026-11-28 02:55:05.252856+00', NULL);
INSERT INTO public.searches VALUES (3, 'path', '{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": ["depth", "fast", "spatial"], "path_is": "prescribed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus": 0.0, "loader_workers": 0}, "failures": {"retries": 1, "then": "stop"}, "seed": 0}', 'gone.yaml', '[]', NULL, 'runs/path', '{"torch": "2.6"}', '2026-11-28 02:55:05.263043+00', 'interrupted', 'stopped by a signal', NULL, NULL, NULL, NULL, '2026-11-28 02:55:05.288257+00', NULL);
INSERT INTO public.steps VALUES (1, 1, '1', 1, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 129968, 259936, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 02:55:04.35866+00');
INSERT INTO public.steps VALUES (2, 1, '2', 2, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 291568, 583136, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 02:55:04.587021+00');
INSERT INTO public.steps VALUES (3, 1, '2-T-S', 2, 'contraction', 'T-S', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 291568, 404000, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 02:55:04.751827+00');
INSERT INTO public.steps VALUES (4, 1, '3', 3, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 655168, 1310336, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 02:55:04.824797+00');
INSERT INTO public.steps VALUES (5, 1, '3-T-M', 3, 'contraction', 'T-M', '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 655168, 1010000, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 02:55:04.968551+00');
INSERT INTO public.steps VALUES (6, 2, '1', 1, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 129968, 259936, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 02:55:05.071347+00');
INSERT INTO public.steps VALUES (7, 2, '2', 2, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}', 261008, 522016, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 02:55:05.20054+00');
INSERT INTO public.steps VALUES (8, 3, '1', 1, 'expansion', NULL, '{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}', 129968, 259936, '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '2026-11-28 02:55:05.28472+00');
INSERT INTO public.store_info VALUES (1, 2, '2026-11-28 02:55:04.277273+00');
INSERT INTO public.trials VALUES ('dba71b13fec52c8c', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.353485+00', NULL, 1, '2026-11-28 02:55:04.414865+00', 2, '2026-11-28 02:55:04.452982+00', 0.8580185815226287, 1, 0.3333333333333333, 9, 1.25, 'runs/dba71b13fec52c8c/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('8c25984ba582a678', '{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.823788+00', NULL, 1, '2026-11-28 02:55:04.837568+00', 2, '2026-11-28 02:55:04.859016+00', 0.5474486525636166, 1, 0.3333333333333333, 9, 1.25, 'runs/8c25984ba582a678/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('50acc61799dbb577', '{"frames": 1, "stride": null, "crop": 104, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.817419+00', NULL, 1, '2026-11-28 02:55:04.862708+00', 2, '2026-11-28 02:55:04.888207+00', 0.31513631879352033, 1, 0.3333333333333333, 9, 1.25, 'runs/50acc61799dbb577/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('1aea0f767bc8929d', '{"frames": 2, "stride": 4, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.9671+00', NULL, 1, '2026-11-28 02:55:04.984249+00', 2, '2026-11-28 02:55:05.002584+00', 0.10513397818431258, 1, 0.3333333333333333, 9, 1.25, 'runs/1aea0f767bc8929d/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('7ca4b2938c170134', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.818354+00', NULL, 1, '2026-11-28 02:55:04.913611+00', 2, '2026-11-28 02:55:04.931875+00', 0.48688808525912464, 1, 0.3333333333333333, 9, 1.25, 'runs/7ca4b2938c170134/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('355d30b108865016', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.583952+00', NULL, 1, '2026-11-28 02:55:04.659639+00', 2, '2026-11-28 02:55:04.67999+00', 0.20845321961678565, 1, 0.3333333333333333, 9, 1.25, 'runs/355d30b108865016/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('6287c0f83fe4009f', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.351009+00', NULL, 1, '2026-11-28 02:55:04.488712+00', 2, '2026-11-28 02:55:04.515992+00', 0.384883938357234, 1, 0.3333333333333333, 9, 1.25, 'runs/6287c0f83fe4009f/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('f9b74731bf6b8ead', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.357501+00', NULL, 1, '2026-11-28 02:55:04.460216+00', 2, '2026-11-28 02:55:04.482279+00', 0.9754528517369181, 1, 0.3333333333333333, 9, 1.25, 'runs/f9b74731bf6b8ead/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('4740a2d501342605', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.339763+00', NULL, 1, '2026-11-28 02:55:04.521601+00', 2, '2026-11-28 02:55:04.544039+00', 0.2783300180453807, 1, 0.3333333333333333, 9, 1.25, 'runs/4740a2d501342605/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('17a3be50f32d598f', '{"frames": 2, "stride": 4, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.578352+00', NULL, 1, '2026-11-28 02:55:04.602044+00', 2, '2026-11-28 02:55:04.626374+00', 0.09234227612614632, 1, 0.3333333333333333, 9, 1.25, 'runs/17a3be50f32d598f/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('9be1d57c3dd03d22', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.586218+00', NULL, 1, '2026-11-28 02:55:04.634494+00', 2, '2026-11-28 02:55:04.652927+00', 0.6089147021993995, 1, 0.3333333333333333, 9, 1.25, 'runs/9be1d57c3dd03d22/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('5f71904e6030862c', '{"frames": 1, "stride": null, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.747704+00', NULL, 1, '2026-11-28 02:55:04.763446+00', 2, '2026-11-28 02:55:04.782845+00', 0.37282659439370036, 1, 0.3333333333333333, 9, 1.25, 'runs/5f71904e6030862c/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('61f545dbaf78d85f', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.585294+00', NULL, 1, '2026-11-28 02:55:04.685542+00', 2, '2026-11-28 02:55:04.716168+00', 0.38264881703071296, 1, 0.3333333333333333, 9, 1.25, 'runs/61f545dbaf78d85f/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('11bc263fdaed9a2c', '{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 0, 2, '2026-11-28 02:55:04.816206+00', NULL, 1, '2026-11-28 02:55:04.890951+00', 2, '2026-11-28 02:55:04.907947+00', 0.06927718198858202, 1, 0.3333333333333333, 9, 1.25, 'runs/11bc263fdaed9a2c/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('2857df4e28546030', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 02:55:05.065046+00', NULL, 2, '2026-11-28 02:55:05.107598+00', 2, '2026-11-28 02:55:05.124572+00', 0.15759082464501262, 1, 0.3333333333333333, 9, 1.25, 'runs/2857df4e28546030/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('2c247bbd41a1058d', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [62, 124], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 02:55:05.192683+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.trials VALUES ('8f0237071b5ee80a', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [3, 3], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 02:55:05.199673+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.trials VALUES ('c0573a15b5512057', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 02:55:05.066341+00', NULL, 2, '2026-11-28 02:55:05.132147+00', 2, '2026-11-28 02:55:05.144822+00', 0.751330976607278, 1, 0.3333333333333333, 9, 1.25, 'runs/c0573a15b5512057/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('cf17a42938be0afc', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 02:55:05.067304+00', NULL, 2, '2026-11-28 02:55:05.087627+00', 2, '2026-11-28 02:55:05.105105+00', 0.808954486856237, 1, 0.3333333333333333, 9, 1.25, 'runs/cf17a42938be0afc/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('7b40ce93232f1efc', '{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 02:55:05.195365+00', NULL, 2, '2026-11-28 02:55:05.212938+00', 2, '2026-11-28 02:55:05.231369+00', 0.48145762528292835, 1, 0.3333333333333333, 9, 1.25, 'runs/7b40ce93232f1efc/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('f7aa420833607083', '{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 02:55:05.06806+00', NULL, 2, '2026-11-28 02:55:05.149176+00', 2, '2026-11-28 02:55:05.1697+00', 0.9674416799098253, 1, 0.3333333333333333, 9, 1.25, 'runs/f7aa420833607083/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
INSERT INTO public.trials VALUES ('8afc7a96dcd57233', '{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}', '{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}', '{"clips": 10, "crops": "center"}', 'da7ada7ada7ada7a', 7, 2, '2026-11-28 02:55:05.196328+00', NULL, 2, '2026-11-28 02:55:05.239595+00', 2, '2026-11-28 02:55:05.253729+00', 0.5429150215350091, 1, 0.3333333333333333, 9, 1.25, 'runs/8afc7a96dcd57233/weights', '["a.mp4", "b.mp4"]', '{"torch": "2.6"}');
SELECT pg_catalog.setval('public.decisions_id_seq', 7, true);
SELECT pg_catalog.setval('public.failures_id_seq', 1, true);
SELECT pg_catalog.setval('public.searches_id_seq', 3, true);
SELECT pg_catalog.setval('public.steps_id_seq', 8, true);
ALTER TABLE ONLY public.candidates
    ADD CONSTRAINT pk_candidates PRIMARY KEY (step_id, axis);
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
