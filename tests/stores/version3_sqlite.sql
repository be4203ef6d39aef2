-- A store of version 3 on SQLite, as the program wrote it: a finished search, one stopped in its second step,
-- and one along a prescribed path.
BEGIN TRANSACTION;
CREATE TABLE candidates (
	step_id INTEGER NOT NULL, 
	axis VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	reason TEXT, 
	factors JSON, 
	geometry JSON, 
	flops BIGINT, 
	params BIGINT, 
	params_without_batchnorm BIGINT, 
	activations BIGINT, 
	cost DOUBLE, 
	achieved_rate DOUBLE, 
	trial_id VARCHAR(16), 
	CONSTRAINT pk_candidates PRIMARY KEY (step_id, axis), 
	CONSTRAINT fk_candidates_step_id FOREIGN KEY(step_id) REFERENCES steps (id), 
	CONSTRAINT fk_candidates_trial_id FOREIGN KEY(trial_id) REFERENCES trials (id)
);
INSERT INTO "candidates" VALUES(1,'fast',0,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',259248,2835,2595,19515,259248.0,1.99470638926504983956e+00,'dba71b13fec52c8c');
INSERT INTO "candidates" VALUES(1,'temporal',1,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',259248,2835,2595,19515,259248.0,1.99470638926504983956e+00,'dba71b13fec52c8c');
INSERT INTO "candidates" VALUES(1,'spatial',2,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',291568,2835,2595,21947,291568.0,2.24338298658131218843e+00,'f9b74731bf6b8ead');
INSERT INTO "candidates" VALUES(1,'depth',3,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}',279216,9411,8595,19083,279216.0,2.14834420780499835146e+00,'6287c0f83fe4009f');
INSERT INTO "candidates" VALUES(1,'width',4,'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(1,'bottleneck',5,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',261008,7803,7275,19057,261008.0,2.00824818416841077706e+00,'4740a2d501342605');
INSERT INTO "candidates" VALUES(2,'fast',0,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',582448,2835,2595,43835,582448.0,1.99764034461943706943e+00,'17a3be50f32d598f');
INSERT INTO "candidates" VALUES(2,'temporal',1,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',582448,2835,2595,43835,582448.0,1.99764034461943706943e+00,'17a3be50f32d598f');
INSERT INTO "candidates" VALUES(2,'spatial',2,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',655168,2835,2595,49307,655168.0,2.24705043077429600373e+00,'9be1d57c3dd03d22');
INSERT INTO "candidates" VALUES(2,'depth',3,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}',626416,9411,8595,42763,626416.0,2.14843878614937189297e+00,'355d30b108865016');
INSERT INTO "candidates" VALUES(2,'width',4,'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(2,'bottleneck',5,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',584608,7803,7275,42737,584608.0,2.00504856500027450749e+00,'61f545dbaf78d85f');
INSERT INTO "candidates" VALUES(3,'spatial',0,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',396608,2835,2595,29851,396608.0,1.36025901333479670718e+00,'5f71904e6030862c');
INSERT INTO "candidates" VALUES(4,'fast',0,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',1309648,2835,2595,98555,1309648.0,1.99894988766240100375e+00,'8c25984ba582a678');
INSERT INTO "candidates" VALUES(4,'temporal',1,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',1309648,2835,2595,98555,1309648.0,1.99894988766240100375e+00,'8c25984ba582a678');
INSERT INTO "candidates" VALUES(4,'spatial',2,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 3.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 104, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',1366208,2835,2595,102811,1366208.0,2.08527889029989266234e+00,'50acc61799dbb577');
INSERT INTO "candidates" VALUES(4,'depth',3,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}','{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}',1407616,9411,8595,96043,1407616.0,2.14848100029305477676e+00,'11bc263fdaed9a2c');
INSERT INTO "candidates" VALUES(4,'width',4,'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(4,'bottleneck',5,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',1312708,7803,7275,96017,1312708.0,2.00362044544300088588e+00,'7ca4b2938c170134');
INSERT INTO "candidates" VALUES(5,'fast',0,'the smallest has 1.31 MFLOPs, over the bound of 1.01 MFLOPs','{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',1309648,2835,2595,98555,1309648.0,1.99894988766240100375e+00,NULL);
INSERT INTO "candidates" VALUES(5,'temporal',1,'the largest within 1.01 MFLOPs has 655.2 kFLOPs, no more than the last step within has (655.2 kFLOPs)','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',655168,2835,2595,49307,655168.0,1.0,NULL);
INSERT INTO "candidates" VALUES(5,'spatial',2,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',792528,2835,2595,59643,792528.0,1.20965614926247932991e+00,'1aea0f767bc8929d');
INSERT INTO "candidates" VALUES(5,'depth',3,'at 1, depth is the basis'' and does not shrink',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(5,'width',4,'at 1, width is the basis'' and does not shrink',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(5,'bottleneck',5,'at 1, bottleneck is the basis'' and does not shrink',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(6,'fast',0,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',259248,2835,2595,19515,259248.0,1.99470638926504983956e+00,'cf17a42938be0afc');
INSERT INTO "candidates" VALUES(6,'temporal',1,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',259248,2835,2595,19515,259248.0,1.99470638926504983956e+00,'cf17a42938be0afc');
INSERT INTO "candidates" VALUES(6,'spatial',2,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',291568,2835,2595,21947,291568.0,2.24338298658131218843e+00,'2857df4e28546030');
INSERT INTO "candidates" VALUES(6,'depth',3,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}',279216,9411,8595,19083,279216.0,2.14834420780499835146e+00,'c0573a15b5512057');
INSERT INTO "candidates" VALUES(6,'width',4,'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(6,'bottleneck',5,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',261008,7803,7275,19057,261008.0,2.00824818416841077706e+00,'f7aa420833607083');
INSERT INTO "candidates" VALUES(7,'fast',0,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',519888,7803,7275,38001,519888.0,1.99184699319561087094e+00,'7b40ce93232f1efc');
INSERT INTO "candidates" VALUES(7,'temporal',1,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',519888,7803,7275,38001,519888.0,1.99184699319561087094e+00,'7b40ce93232f1efc');
INSERT INTO "candidates" VALUES(7,'spatial',2,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',584608,7803,7275,42737,584608.0,2.23980874149451336663e+00,'8afc7a96dcd57233');
INSERT INTO "candidates" VALUES(7,'depth',3,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 3.0}','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [3, 3], "classes": 3, "head_width": 16, "stem_kernel": 5}',503536,18237,16989,30671,503536.0,1.92919757248819956352e+00,'8f0237071b5ee80a');
INSERT INTO "candidates" VALUES(7,'width',4,'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(7,'bottleneck',5,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 7.75, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [62, 124], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',523088,17739,16635,37597,523088.0,2.00410715380371495797e+00,'2c247bbd41a1058d');
INSERT INTO "candidates" VALUES(8,'fast',0,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',259248,2835,2595,19515,259248.0,1.99470638926504983956e+00,NULL);
INSERT INTO "candidates" VALUES(8,'temporal',1,NULL,'{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',259248,2835,2595,19515,259248.0,1.99470638926504983956e+00,NULL);
INSERT INTO "candidates" VALUES(8,'spatial',2,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',291568,2835,2595,21947,291568.0,2.24338298658131218843e+00,NULL);
INSERT INTO "candidates" VALUES(8,'depth',3,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}',279216,9411,8595,19083,279216.0,2.14834420780499835146e+00,NULL);
INSERT INTO "candidates" VALUES(8,'width',4,'nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candidates" VALUES(8,'bottleneck',5,NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',261008,7803,7275,19057,261008.0,2.00824818416841077706e+00,NULL);
CREATE TABLE damaged_videos (
	trial_id VARCHAR(16) NOT NULL, 
	manifest VARCHAR(16) NOT NULL, 
	video_id VARCHAR(16) NOT NULL, 
	video TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	first_seen DATETIME NOT NULL, 
	last_seen DATETIME NOT NULL, 
	CONSTRAINT pk_damaged_videos PRIMARY KEY (trial_id, manifest, video_id), 
	CONSTRAINT fk_damaged_videos_trial_id FOREIGN KEY(trial_id) REFERENCES trials (id)
);
INSERT INTO "damaged_videos" VALUES('dba71b13fec52c8c','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.251680','2026-11-28 05:37:05.251680');
INSERT INTO "damaged_videos" VALUES('dba71b13fec52c8c','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.251680','2026-11-28 05:37:05.251680');
INSERT INTO "damaged_videos" VALUES('f9b74731bf6b8ead','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.262237','2026-11-28 05:37:05.262237');
INSERT INTO "damaged_videos" VALUES('f9b74731bf6b8ead','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.262237','2026-11-28 05:37:05.262237');
INSERT INTO "damaged_videos" VALUES('6287c0f83fe4009f','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.269965','2026-11-28 05:37:05.269965');
INSERT INTO "damaged_videos" VALUES('6287c0f83fe4009f','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.269965','2026-11-28 05:37:05.269965');
INSERT INTO "damaged_videos" VALUES('4740a2d501342605','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.278653','2026-11-28 05:37:05.278653');
INSERT INTO "damaged_videos" VALUES('4740a2d501342605','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.278653','2026-11-28 05:37:05.278653');
INSERT INTO "damaged_videos" VALUES('17a3be50f32d598f','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.310158','2026-11-28 05:37:05.310158');
INSERT INTO "damaged_videos" VALUES('17a3be50f32d598f','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.310158','2026-11-28 05:37:05.310158');
INSERT INTO "damaged_videos" VALUES('9be1d57c3dd03d22','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.318875','2026-11-28 05:37:05.318875');
INSERT INTO "damaged_videos" VALUES('9be1d57c3dd03d22','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.318875','2026-11-28 05:37:05.318875');
INSERT INTO "damaged_videos" VALUES('355d30b108865016','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.327146','2026-11-28 05:37:05.327146');
INSERT INTO "damaged_videos" VALUES('355d30b108865016','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.327146','2026-11-28 05:37:05.327146');
INSERT INTO "damaged_videos" VALUES('61f545dbaf78d85f','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.334647','2026-11-28 05:37:05.334647');
INSERT INTO "damaged_videos" VALUES('61f545dbaf78d85f','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.334647','2026-11-28 05:37:05.334647');
INSERT INTO "damaged_videos" VALUES('5f71904e6030862c','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.352371','2026-11-28 05:37:05.352371');
INSERT INTO "damaged_videos" VALUES('5f71904e6030862c','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.352371','2026-11-28 05:37:05.352371');
INSERT INTO "damaged_videos" VALUES('8c25984ba582a678','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.373629','2026-11-28 05:37:05.373629');
INSERT INTO "damaged_videos" VALUES('8c25984ba582a678','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.373629','2026-11-28 05:37:05.373629');
INSERT INTO "damaged_videos" VALUES('50acc61799dbb577','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.380555','2026-11-28 05:37:05.380555');
INSERT INTO "damaged_videos" VALUES('50acc61799dbb577','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.380555','2026-11-28 05:37:05.380555');
INSERT INTO "damaged_videos" VALUES('11bc263fdaed9a2c','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.387172','2026-11-28 05:37:05.387172');
INSERT INTO "damaged_videos" VALUES('11bc263fdaed9a2c','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.387172','2026-11-28 05:37:05.387172');
INSERT INTO "damaged_videos" VALUES('7ca4b2938c170134','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.394620','2026-11-28 05:37:05.394620');
INSERT INTO "damaged_videos" VALUES('7ca4b2938c170134','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.394620','2026-11-28 05:37:05.394620');
INSERT INTO "damaged_videos" VALUES('1aea0f767bc8929d','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.413237','2026-11-28 05:37:05.413237');
INSERT INTO "damaged_videos" VALUES('1aea0f767bc8929d','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.413237','2026-11-28 05:37:05.413237');
INSERT INTO "damaged_videos" VALUES('cf17a42938be0afc','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.437491','2026-11-28 05:37:05.437491');
INSERT INTO "damaged_videos" VALUES('cf17a42938be0afc','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.437491','2026-11-28 05:37:05.437491');
INSERT INTO "damaged_videos" VALUES('2857df4e28546030','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.443573','2026-11-28 05:37:05.443573');
INSERT INTO "damaged_videos" VALUES('2857df4e28546030','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.443573','2026-11-28 05:37:05.443573');
INSERT INTO "damaged_videos" VALUES('c0573a15b5512057','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.449783','2026-11-28 05:37:05.449783');
INSERT INTO "damaged_videos" VALUES('c0573a15b5512057','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.449783','2026-11-28 05:37:05.449783');
INSERT INTO "damaged_videos" VALUES('f7aa420833607083','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.455948','2026-11-28 05:37:05.455948');
INSERT INTO "damaged_videos" VALUES('f7aa420833607083','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.455948','2026-11-28 05:37:05.455948');
INSERT INTO "damaged_videos" VALUES('7b40ce93232f1efc','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.473532','2026-11-28 05:37:05.473532');
INSERT INTO "damaged_videos" VALUES('7b40ce93232f1efc','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.473532','2026-11-28 05:37:05.473532');
INSERT INTO "damaged_videos" VALUES('8afc7a96dcd57233','train','57feca19c50b1d62','a.mp4','no frame','2026-11-28 05:37:05.479945','2026-11-28 05:37:05.479945');
INSERT INTO "damaged_videos" VALUES('8afc7a96dcd57233','val','583278a2d127de30','b.mp4','no frame','2026-11-28 05:37:05.479945','2026-11-28 05:37:05.479945');
CREATE TABLE decisions (
	id INTEGER NOT NULL, 
	step_id INTEGER NOT NULL, 
	axis VARCHAR(16) NOT NULL, 
	factors JSON NOT NULL, 
	cost DOUBLE NOT NULL, 
	trial_id VARCHAR(16), 
	score DOUBLE, 
	ranking JSON NOT NULL, 
	train_top1 DOUBLE, 
	decided_at DATETIME NOT NULL, 
	CONSTRAINT pk_decisions PRIMARY KEY (id), 
	CONSTRAINT uq_decisions_step_id UNIQUE (step_id), 
	CONSTRAINT fk_decisions_step_id FOREIGN KEY(step_id) REFERENCES steps (id), 
	CONSTRAINT fk_decisions_trial_id FOREIGN KEY(trial_id) REFERENCES trials (id)
);
INSERT INTO "decisions" VALUES(1,1,'spatial','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',291568.0,'f9b74731bf6b8ead',9.75452851736918091773e-01,'[{"axis": "spatial", "flops": 291568, "trial": "f9b74731bf6b8ead", "score": 0.9754528517369181, "reason": null}, {"axis": "fast", "flops": 259248, "trial": "dba71b13fec52c8c", "score": 0.8580185815226287, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": "dba71b13fec52c8c", "score": 0.8580185815226287, "reason": null}, {"axis": "depth", "flops": 279216, "trial": "6287c0f83fe4009f", "score": 0.384883938357234, "reason": null}, {"axis": "bottleneck", "flops": 261008, "trial": "4740a2d501342605", "score": 0.2783300180453807, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]',0.7,'2026-11-28 05:37:05.285155');
INSERT INTO "decisions" VALUES(2,2,'spatial','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',655168.0,'9be1d57c3dd03d22',6.08914702199399471282e-01,'[{"axis": "spatial", "flops": 655168, "trial": "9be1d57c3dd03d22", "score": 0.6089147021993995, "reason": null}, {"axis": "bottleneck", "flops": 584608, "trial": "61f545dbaf78d85f", "score": 0.38264881703071296, "reason": null}, {"axis": "depth", "flops": 626416, "trial": "355d30b108865016", "score": 0.20845321961678565, "reason": null}, {"axis": "fast", "flops": 582448, "trial": "17a3be50f32d598f", "score": 0.09234227612614632, "reason": null}, {"axis": "temporal", "flops": 582448, "trial": "17a3be50f32d598f", "score": 0.09234227612614632, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]',0.7,'2026-11-28 05:37:05.339363');
INSERT INTO "decisions" VALUES(3,3,'spatial','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',396608.0,'5f71904e6030862c',3.72826594393700361251e-01,'[{"axis": "spatial", "flops": 396608, "trial": "5f71904e6030862c", "score": 0.37282659439370036, "reason": null}]',0.7,'2026-11-28 05:37:05.355874');
INSERT INTO "decisions" VALUES(4,4,'fast','{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',1309648.0,'8c25984ba582a678',5.47448652563616633415e-01,'[{"axis": "fast", "flops": 1309648, "trial": "8c25984ba582a678", "score": 0.5474486525636166, "reason": null}, {"axis": "temporal", "flops": 1309648, "trial": "8c25984ba582a678", "score": 0.5474486525636166, "reason": null}, {"axis": "bottleneck", "flops": 1312708, "trial": "7ca4b2938c170134", "score": 0.48688808525912464, "reason": null}, {"axis": "spatial", "flops": 1366208, "trial": "50acc61799dbb577", "score": 0.31513631879352033, "reason": null}, {"axis": "depth", "flops": 1407616, "trial": "11bc263fdaed9a2c", "score": 0.06927718198858202, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]',0.7,'2026-11-28 05:37:05.400750');
INSERT INTO "decisions" VALUES(5,5,'spatial','{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',792528.0,'1aea0f767bc8929d',1.05133978184312582015e-01,'[{"axis": "spatial", "flops": 792528, "trial": "1aea0f767bc8929d", "score": 0.10513397818431258, "reason": null}, {"axis": "fast", "flops": 1309648, "trial": null, "score": null, "reason": "the smallest has 1.31 MFLOPs, over the bound of 1.01 MFLOPs"}, {"axis": "temporal", "flops": 655168, "trial": null, "score": null, "reason": "the largest within 1.01 MFLOPs has 655.2 kFLOPs, no more than the last step within has (655.2 kFLOPs)"}, {"axis": "depth", "flops": null, "trial": null, "score": null, "reason": "at 1, depth is the basis'' and does not shrink"}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "at 1, width is the basis'' and does not shrink"}, {"axis": "bottleneck", "flops": null, "trial": null, "score": null, "reason": "at 1, bottleneck is the basis'' and does not shrink"}]',0.7,'2026-11-28 05:37:05.416602');
INSERT INTO "decisions" VALUES(6,6,'bottleneck','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}',261008.0,'f7aa420833607083',9.67441679909825325012e-01,'[{"axis": "bottleneck", "flops": 261008, "trial": "f7aa420833607083", "score": 0.9674416799098253, "reason": null}, {"axis": "fast", "flops": 259248, "trial": "cf17a42938be0afc", "score": 0.808954486856237, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": "cf17a42938be0afc", "score": 0.808954486856237, "reason": null}, {"axis": "depth", "flops": 279216, "trial": "c0573a15b5512057", "score": 0.751330976607278, "reason": null}, {"axis": "spatial", "flops": 291568, "trial": "2857df4e28546030", "score": 0.15759082464501262, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}]',0.7,'2026-11-28 05:37:05.459121');
INSERT INTO "decisions" VALUES(7,8,'depth','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 5.0}',279216.0,NULL,NULL,'[{"axis": "fast", "flops": 259248, "trial": null, "score": null, "reason": null}, {"axis": "temporal", "flops": 259248, "trial": null, "score": null, "reason": null}, {"axis": "spatial", "flops": 291568, "trial": null, "score": null, "reason": null}, {"axis": "depth", "flops": 279216, "trial": null, "score": null, "reason": null}, {"axis": "width", "flops": null, "trial": null, "score": null, "reason": "nothing on the grid is larger than the frontier: limits.width is 1, and the frontier stands at 1"}, {"axis": "bottleneck", "flops": 261008, "trial": null, "score": null, "reason": null}]',NULL,'2026-11-28 05:37:05.490365');
CREATE TABLE epochs (
	trial_id VARCHAR(16) NOT NULL, 
	number INTEGER NOT NULL, 
	loss DOUBLE NOT NULL, 
	top1 DOUBLE NOT NULL, 
	rate DOUBLE NOT NULL, 
	seconds DOUBLE NOT NULL, 
	clips_per_second DOUBLE, 
	waited DOUBLE, 
	gpu_memory BIGINT, 
	recorded_at DATETIME NOT NULL, 
	CONSTRAINT pk_epochs PRIMARY KEY (trial_id, number), 
	CONSTRAINT fk_epochs_trial_id FOREIGN KEY(trial_id) REFERENCES trials (id)
);
INSERT INTO "epochs" VALUES('dba71b13fec52c8c',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.171753');
INSERT INTO "epochs" VALUES('dba71b13fec52c8c',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.248547');
INSERT INTO "epochs" VALUES('f9b74731bf6b8ead',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.258353');
INSERT INTO "epochs" VALUES('f9b74731bf6b8ead',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.260417');
INSERT INTO "epochs" VALUES('6287c0f83fe4009f',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.265915');
INSERT INTO "epochs" VALUES('6287c0f83fe4009f',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.267983');
INSERT INTO "epochs" VALUES('4740a2d501342605',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.273930');
INSERT INTO "epochs" VALUES('4740a2d501342605',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.276348');
INSERT INTO "epochs" VALUES('17a3be50f32d598f',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.304743');
INSERT INTO "epochs" VALUES('17a3be50f32d598f',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.307599');
INSERT INTO "epochs" VALUES('9be1d57c3dd03d22',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.314600');
INSERT INTO "epochs" VALUES('9be1d57c3dd03d22',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.316931');
INSERT INTO "epochs" VALUES('355d30b108865016',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.322902');
INSERT INTO "epochs" VALUES('355d30b108865016',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.325116');
INSERT INTO "epochs" VALUES('61f545dbaf78d85f',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.331013');
INSERT INTO "epochs" VALUES('61f545dbaf78d85f',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.332877');
INSERT INTO "epochs" VALUES('5f71904e6030862c',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.348735');
INSERT INTO "epochs" VALUES('5f71904e6030862c',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.350570');
INSERT INTO "epochs" VALUES('8c25984ba582a678',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.369893');
INSERT INTO "epochs" VALUES('8c25984ba582a678',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.371829');
INSERT INTO "epochs" VALUES('50acc61799dbb577',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.377122');
INSERT INTO "epochs" VALUES('50acc61799dbb577',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.378891');
INSERT INTO "epochs" VALUES('11bc263fdaed9a2c',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.383867');
INSERT INTO "epochs" VALUES('11bc263fdaed9a2c',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.385573');
INSERT INTO "epochs" VALUES('7ca4b2938c170134',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.390386');
INSERT INTO "epochs" VALUES('7ca4b2938c170134',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.392392');
INSERT INTO "epochs" VALUES('1aea0f767bc8929d',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.409840');
INSERT INTO "epochs" VALUES('1aea0f767bc8929d',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.411608');
INSERT INTO "epochs" VALUES('cf17a42938be0afc',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.434235');
INSERT INTO "epochs" VALUES('cf17a42938be0afc',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.435944');
INSERT INTO "epochs" VALUES('2857df4e28546030',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.440473');
INSERT INTO "epochs" VALUES('2857df4e28546030',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.441995');
INSERT INTO "epochs" VALUES('c0573a15b5512057',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.446634');
INSERT INTO "epochs" VALUES('c0573a15b5512057',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.448240');
INSERT INTO "epochs" VALUES('f7aa420833607083',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.452760');
INSERT INTO "epochs" VALUES('f7aa420833607083',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.454374');
INSERT INTO "epochs" VALUES('7b40ce93232f1efc',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.470117');
INSERT INTO "epochs" VALUES('7b40ce93232f1efc',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.471838');
INSERT INTO "epochs" VALUES('8afc7a96dcd57233',1,0.1,0.7,3.00000000000000044408e-01,0.001,NULL,NULL,NULL,'2026-11-28 05:37:05.476796');
INSERT INTO "epochs" VALUES('8afc7a96dcd57233',2,0.05,0.7,3.00000000000000044408e-01,0.001,3.33333333333333357026e+01,1.99999999999999983346e-01,1099511627777,'2026-11-28 05:37:05.478358');
CREATE TABLE failures (
	id INTEGER NOT NULL, 
	search_id INTEGER NOT NULL, 
	trial_id VARCHAR(16) NOT NULL, 
	number INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	traceback TEXT NOT NULL, 
	forgiven BOOLEAN NOT NULL, 
	failed_at DATETIME NOT NULL, 
	CONSTRAINT pk_failures PRIMARY KEY (id), 
	CONSTRAINT uq_failures_search_id_trial_id_number UNIQUE (search_id, trial_id, number), 
	CONSTRAINT fk_failures_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT fk_failures_trial_id FOREIGN KEY(trial_id) REFERENCES trials (id)
);
INSERT INTO "failures" VALUES(1,1,'dba71b13fec52c8c',1,'out of memory, 0 to go','Traceback ...',0,'2026-11-28 05:37:05.161878');
CREATE TABLE instances (
	search_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	bound DOUBLE NOT NULL, 
	step INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	factors JSON NOT NULL, 
	geometry JSON NOT NULL, 
	flops BIGINT NOT NULL, 
	params BIGINT NOT NULL, 
	params_without_batchnorm BIGINT NOT NULL, 
	activations BIGINT NOT NULL, 
	cost DOUBLE NOT NULL, 
	trial_id VARCHAR(16), 
	score DOUBLE, 
	settled_at DATETIME NOT NULL, 
	CONSTRAINT pk_instances PRIMARY KEY (search_id, name), 
	CONSTRAINT fk_instances_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT fk_instances_trial_id FOREIGN KEY(trial_id) REFERENCES trials (id)
);
INSERT INTO "instances" VALUES(1,'T-S',400000.0,2,'contraction','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 1, "stride": null, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',396608,2835,2595,29851,396608.0,'5f71904e6030862c',3.72826594393700361251e-01,'2026-11-28 05:37:05.356405');
INSERT INTO "instances" VALUES(1,'T-M',1000000.0,3,'contraction','{"gamma_tau": 4, "gamma_t": 2, "gamma_s": 1.75, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}','{"frames": 2, "stride": 4, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}',792528,2835,2595,59643,792528.0,'1aea0f767bc8929d',1.05133978184312582015e-01,'2026-11-28 05:37:05.417194');
CREATE TABLE measurements (
	name VARCHAR(16) NOT NULL, 
	device VARCHAR(255) NOT NULL, 
	geometry_id VARCHAR(16) NOT NULL, 
	geometry JSON NOT NULL, 
	value DOUBLE NOT NULL, 
	versions JSON NOT NULL, 
	measured_at DATETIME NOT NULL, 
	CONSTRAINT pk_measurements PRIMARY KEY (name, device, geometry_id)
);
CREATE TABLE searches (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	space JSON NOT NULL, 
	source TEXT NOT NULL, 
	overrides JSON NOT NULL, 
	data JSON, 
	runs TEXT NOT NULL, 
	versions JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason TEXT, 
	host TEXT, 
	pid BIGINT, 
	process_started TEXT, 
	claimed_at DATETIME, 
	last_event_at DATETIME NOT NULL, 
	device TEXT, 
	CONSTRAINT pk_searches PRIMARY KEY (id), 
	CONSTRAINT uq_searches_name UNIQUE (name)
);
INSERT INTO "searches" VALUES(1,'finished','{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": [], "path_is": "assumed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true, "precision": "bfloat16", "precise_batchnorm": 0, "short_videos": "loop"}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "seconds_per_video": 120.0, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus_per_trial": 0.0, "workers_per_trial": null, "least_workers": null, "loader_workers": 0, "micro_batch": null, "gradient_checkpointing": null}, "failures": {"retries": 1, "then": "stop"}, "watch": {"mlflow": null}, "seed": 0}','tiny.yaml','["recipe.epochs=2"]','{"fingerprint": "da7ada7ada7ada7a", "train": {"videos": 12}}','runs/first','{"expander": "0.1.0"}','2026-11-28 05:37:05.127735','completed','every regime has its instance',NULL,NULL,NULL,NULL,'2026-11-28 05:37:05.419708',NULL);
INSERT INTO "searches" VALUES(2,'stopped','{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": [], "path_is": "assumed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true, "precision": "bfloat16", "precise_batchnorm": 0, "short_videos": "loop"}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "seconds_per_video": 120.0, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus_per_trial": 0.0, "workers_per_trial": null, "least_workers": null, "loader_workers": 0, "micro_batch": null, "gradient_checkpointing": null}, "failures": {"retries": 1, "then": "stop"}, "watch": {"mlflow": null}, "seed": 7}','tiny.yaml','["recipe.epochs=2"]','{"fingerprint": "da7ada7ada7ada7a", "train": {"videos": 12}}','runs/first','{"expander": "0.1.0"}','2026-11-28 05:37:05.422621','interrupted','stopped by a signal',NULL,NULL,NULL,NULL,'2026-11-28 05:37:05.479597',NULL);
INSERT INTO "searches" VALUES(3,'path','{"description": "", "complexity": "flops", "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16, "stem_kernel": 5, "channelwise": true, "swish": true, "squeeze_excitation": true}, "expansion": {"rate": 2.0, "tolerance": 0.2, "axes": ["fast", "temporal", "spatial", "depth", "width", "bottleneck"], "first_stride": 4, "max_steps": null, "path": ["depth", "fast", "spatial"], "path_is": "prescribed"}, "grids": {"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25}, "limits": {"frames": null, "crop": null, "depth": null, "width": 1.0, "bottleneck": null}, "regimes": {"bounds": {"T-S": 400000.0, "T-M": 1000000.0}, "grace": 0.01, "fill": 0.85, "contract": "expanded-axis"}, "recipe": {"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true, "precision": "bfloat16", "precise_batchnorm": 0, "short_videos": "loop"}, "regularisation": [], "views": {"clips": 10, "crops": "center"}, "data": {"train": null, "val": null, "root": null, "damage_share": 0.01, "seconds_per_video": 120.0, "train_videos": 240000, "val_videos": 20000}, "resources": {"cpus": 1.0, "gpus_per_trial": 0.0, "workers_per_trial": null, "least_workers": null, "loader_workers": 0, "micro_batch": null, "gradient_checkpointing": null}, "failures": {"retries": 1, "then": "stop"}, "watch": {"mlflow": null}, "seed": 0}','tiny.yaml','["recipe.epochs=2"]','{"fingerprint": "da7ada7ada7ada7a", "train": {"videos": 12}}','runs/first','{"expander": "0.1.0"}','2026-11-28 05:37:05.482535','interrupted','stopped by a signal',NULL,NULL,NULL,NULL,'2026-11-28 05:37:05.489797',NULL);
CREATE TABLE steps (
	id INTEGER NOT NULL, 
	search_id INTEGER NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	number INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	regime TEXT, 
	frontier JSON NOT NULL, 
	frontier_cost DOUBLE NOT NULL, 
	bound DOUBLE NOT NULL, 
	recipe JSON NOT NULL, 
	started_at DATETIME NOT NULL, 
	CONSTRAINT pk_steps PRIMARY KEY (id), 
	CONSTRAINT uq_steps_search_id_key UNIQUE (search_id, "key"), 
	CONSTRAINT fk_steps_search_id FOREIGN KEY(search_id) REFERENCES searches (id)
);
INSERT INTO "steps" VALUES(1,1,'1',1,'expansion',NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',129968.0,259936.0,'{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','2026-11-28 05:37:05.150871');
INSERT INTO "steps" VALUES(2,1,'2',2,'expansion',NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',291568.0,583136.0,'{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','2026-11-28 05:37:05.298106');
INSERT INTO "steps" VALUES(3,1,'2-T-S',2,'contraction','T-S','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.5, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',291568.0,404000.0,'{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','2026-11-28 05:37:05.343563');
INSERT INTO "steps" VALUES(4,1,'3',3,'expansion',NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',655168.0,1310336.0,'{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','2026-11-28 05:37:05.365138');
INSERT INTO "steps" VALUES(5,1,'3-T-M',3,'contraction','T-M','{"gamma_tau": null, "gamma_t": 1, "gamma_s": 2.25, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',655168.0,1010000.0,'{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','2026-11-28 05:37:05.405754');
INSERT INTO "steps" VALUES(6,2,'1',1,'expansion',NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',129968.0,259936.0,'{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','2026-11-28 05:37:05.430199');
INSERT INTO "steps" VALUES(7,2,'2',2,'expansion',NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 3.25, "gamma_d": 1.0}',261008.0,522016.0,'{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','2026-11-28 05:37:05.466160');
INSERT INTO "steps" VALUES(8,3,'1',1,'expansion',NULL,'{"gamma_tau": null, "gamma_t": 1, "gamma_s": 1.0, "gamma_w": 1.0, "gamma_b": 1.0, "gamma_d": 1.0}',129968.0,259936.0,'{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','2026-11-28 05:37:05.487956');
CREATE TABLE store_info (
	id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_store_info PRIMARY KEY (id), 
	CONSTRAINT ck_store_info_one_row CHECK (id = 1)
);
INSERT INTO "store_info" VALUES(1,3,'2026-11-28 05:37:05.118390');
CREATE TABLE trials (
	id VARCHAR(16) NOT NULL, 
	geometry JSON NOT NULL, 
	recipe JSON NOT NULL, 
	views JSON NOT NULL, 
	data TEXT NOT NULL, 
	seed BIGINT NOT NULL, 
	epochs INTEGER NOT NULL, 
	enrolled_at DATETIME NOT NULL, 
	worker TEXT, 
	trained_by INTEGER, 
	started_at DATETIME, 
	epoch INTEGER, 
	completed_at DATETIME, 
	top1 DOUBLE, 
	top5 DOUBLE, 
	loss DOUBLE, 
	videos INTEGER, 
	seconds DOUBLE, 
	weights TEXT, 
	damaged JSON, 
	versions JSON, 
	train_top1 DOUBLE, 
	device TEXT, 
	gpus DOUBLE, 
	CONSTRAINT pk_trials PRIMARY KEY (id), 
	CONSTRAINT fk_trials_trained_by FOREIGN KEY(trained_by) REFERENCES searches (id)
);
INSERT INTO "trials" VALUES('4740a2d501342605','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.147742',NULL,1,'2026-11-28 05:37:05.272445',2,'2026-11-28 05:37:05.278653',2.78330018045380711555e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/4740a2d501342605/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('6287c0f83fe4009f','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.149458',NULL,1,'2026-11-28 05:37:05.264502',2,'2026-11-28 05:37:05.269965',0.384883938357234,1.0,3.33333333333333314829e-01,9,1.25,'runs/6287c0f83fe4009f/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('dba71b13fec52c8c','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.149964',NULL,1,'2026-11-28 05:37:05.169789',2,'2026-11-28 05:37:05.251680',8.5801858152262866497e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/dba71b13fec52c8c/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('f9b74731bf6b8ead','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.150431',NULL,1,'2026-11-28 05:37:05.256509',2,'2026-11-28 05:37:05.262237',9.75452851736918091773e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/f9b74731bf6b8ead/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('17a3be50f32d598f','{"frames": 2, "stride": 4, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.295570',NULL,1,'2026-11-28 05:37:05.302519',2,'2026-11-28 05:37:05.310158',9.23422761261463165283e-02,1.0,3.33333333333333314829e-01,9,1.25,'runs/17a3be50f32d598f/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('355d30b108865016','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.296417',NULL,1,'2026-11-28 05:37:05.321239',2,'2026-11-28 05:37:05.327146',2.08453219616785645484e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/355d30b108865016/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('61f545dbaf78d85f','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.297014',NULL,1,'2026-11-28 05:37:05.329456',2,'2026-11-28 05:37:05.334647',3.8264881703071296215e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/61f545dbaf78d85f/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('9be1d57c3dd03d22','{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.297616',NULL,1,'2026-11-28 05:37:05.312732',2,'2026-11-28 05:37:05.318875',6.08914702199399471282e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/9be1d57c3dd03d22/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('5f71904e6030862c','{"frames": 1, "stride": null, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.342887',NULL,1,'2026-11-28 05:37:05.347253',2,'2026-11-28 05:37:05.352371',3.72826594393700361251e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/5f71904e6030862c/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('11bc263fdaed9a2c','{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.362825',NULL,1,'2026-11-28 05:37:05.382525',2,'2026-11-28 05:37:05.387172',6.92771819885820150375e-02,1.0,3.33333333333333314829e-01,9,1.25,'runs/11bc263fdaed9a2c/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('50acc61799dbb577','{"frames": 1, "stride": null, "crop": 104, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.363476',NULL,1,'2026-11-28 05:37:05.375789',2,'2026-11-28 05:37:05.380555',3.15136318793520331382e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/50acc61799dbb577/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('7ca4b2938c170134','{"frames": 1, "stride": null, "crop": 72, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.363944',NULL,1,'2026-11-28 05:37:05.389115',2,'2026-11-28 05:37:05.394620',4.8688808525912463665e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/7ca4b2938c170134/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('8c25984ba582a678','{"frames": 2, "stride": 4, "crop": 72, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.364713',NULL,1,'2026-11-28 05:37:05.368451',2,'2026-11-28 05:37:05.373629',5.47448652563616633415e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/8c25984ba582a678/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('1aea0f767bc8929d','{"frames": 2, "stride": 4, "crop": 56, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',0,2,'2026-11-28 05:37:05.405235',NULL,1,'2026-11-28 05:37:05.408504',2,'2026-11-28 05:37:05.413237',1.05133978184312582015e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/1aea0f767bc8929d/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('2857df4e28546030','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',7,2,'2026-11-28 05:37:05.428556',NULL,2,'2026-11-28 05:37:05.439270',2,'2026-11-28 05:37:05.443573',1.57590824645012617111e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/2857df4e28546030/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('c0573a15b5512057','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [5, 5], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',7,2,'2026-11-28 05:37:05.429061',NULL,2,'2026-11-28 05:37:05.445426',2,'2026-11-28 05:37:05.449783',0.751330976607278,1.0,3.33333333333333314829e-01,9,1.25,'runs/c0573a15b5512057/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('cf17a42938be0afc','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [8, 16], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',7,2,'2026-11-28 05:37:05.429468',NULL,2,'2026-11-28 05:37:05.432897',2,'2026-11-28 05:37:05.437491',0.808954486856237,1.0,3.33333333333333314829e-01,9,1.25,'runs/cf17a42938be0afc/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('f7aa420833607083','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',7,2,'2026-11-28 05:37:05.429849',NULL,2,'2026-11-28 05:37:05.451567',2,'2026-11-28 05:37:05.455948',9.67441679909825325012e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/f7aa420833607083/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('2c247bbd41a1058d','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [62, 124], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',7,2,'2026-11-28 05:37:05.464572',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "trials" VALUES('7b40ce93232f1efc','{"frames": 2, "stride": 4, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',7,2,'2026-11-28 05:37:05.465078',NULL,2,'2026-11-28 05:37:05.468834',2,'2026-11-28 05:37:05.473532',4.81457625282928347587e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/7b40ce93232f1efc/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('8afc7a96dcd57233','{"frames": 1, "stride": null, "crop": 48, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [1, 1], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',7,2,'2026-11-28 05:37:05.465457',NULL,2,'2026-11-28 05:37:05.475525',2,'2026-11-28 05:37:05.479945',5.42915021535009145736e-01,1.0,3.33333333333333314829e-01,9,1.25,'runs/8afc7a96dcd57233/weights','["a.mp4: no frame", "b.mp4: no frame"]','{"torch": "2.6"}',0.7,'NVIDIA H100 80GB HBM3',1.0);
INSERT INTO "trials" VALUES('8f0237071b5ee80a','{"frames": 1, "stride": null, "crop": 32, "widths": [8, 16], "inner_widths": [26, 52], "squeeze_widths": [8, 8], "blocks": [3, 3], "classes": 3, "head_width": 16, "stem_kernel": 5}','{"epochs": 2, "batch": 8, "base_rate": 1.6, "reference_batch": 1024, "warmup": 0.13333333333333333, "momentum": 0.9, "weight_decay": 5e-05, "dropout": 0.5, "drop_connect": 0.0, "batchnorm_group": 8, "scale_jitter": [1.1428571428571428, 1.4285714285714286], "flip": true}','{"clips": 10, "crops": "center"}','da7ada7ada7ada7a',7,2,'2026-11-28 05:37:05.465809',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX ix_trials_trained_by ON trials (trained_by);
CREATE INDEX ix_candidates_trial_id ON candidates (trial_id);
CREATE INDEX ix_failures_trial_id ON failures (trial_id);
CREATE INDEX ix_decisions_trial_id ON decisions (trial_id);
CREATE INDEX ix_instances_trial_id ON instances (trial_id);
COMMIT;
