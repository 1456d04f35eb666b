"""Models that Keras 2 saved as .h5, with what it computes: `python models.py FOLDER`, TensorFlow 2.15.1 (Keras 2.15.0)."""
import os, json, sys
os.environ['TF_CPP_MIN_LOG_LEVEL']='3'
import numpy as np, tensorflow as tf
K=tf.keras; L=K.layers
out=sys.argv[1]
rng=np.random.default_rng(7)
def stir(m):
    ws=[]
    for w in m.weights:
        x=rng.normal(size=w.shape).astype('float32')*.6
        ws.append(np.abs(x)+.3 if 'variance' in w.name else x)
    m.set_weights(ws)
def save(name,m,inputs,targets=None):
    stir(m)
    ins=[np.asarray(i) for i in inputs]
    p=m.predict(ins if len(ins)>1 else ins[0],verbose=0)
    p=p if isinstance(p,list) else [p]
    loss=None
    if targets is not None:
        r=m.test_on_batch(ins if len(ins)>1 else ins[0],targets,return_dict=True)
        loss={k:float(v) for k,v in r.items()}
    m.save(f'{out}/{name}.h5')
    json.dump({'keras':__import__('keras').__version__,'targets':None if targets is None else [np.asarray(t).tolist() for t in (targets if isinstance(targets,list) else [targets])],'evaluated':loss,'inputs':[{'shape':list(i.shape),'dtype':str(i.dtype),'values':i.ravel().tolist()} for i in ins],
      'outputs':[{'shape':list(o.shape),'values':[float(f'{v:.8g}') for v in o.ravel()]} for o in p]},open(f'{out}/{name}.json','w'))
    print(name,[o.shape for o in p],os.path.getsize(f'{out}/{name}.h5'))
ids=np.array([[3,1,4,0,0],[1,2,0,0,0],[6,5,4,3,2]],'int32')
x=rng.normal(size=(3,5,4)).astype('float32')
m=K.Sequential([L.Embedding(7,3,mask_zero=True,input_length=5),L.LSTM(4,recurrent_activation='hard_sigmoid',return_sequences=True),L.Dropout(.2),L.Bidirectional(L.GRU(3,reset_after=False)),L.Dense(2,activation='softmax',kernel_regularizer=K.regularizers.L2(0.01),kernel_constraint=K.constraints.MaxNorm(2))])
m.compile(K.optimizers.Adam(0.002,beta_1=.8),loss='sparse_categorical_crossentropy',metrics=['accuracy'])
save('text',m,[ids],np.array([0,1,1]))
a=K.Input((5,4)); h=K.Input((3,)); c=K.Input((3,))
y,hh,cc=L.LSTM(3,return_sequences=True,return_state=True)(a,initial_state=[h,c])
z=L.TimeDistributed(L.Dense(3,activation='relu'))(y)
r=L.Add()([y,z])
g=L.GRU(2)(r)
inner=K.Sequential([L.Dense(2,activation='swish',input_shape=(3,))],name='inner')
infn_i=K.Input((3,)); infn=K.Model(infn_i,L.Dense(2,activation='tanh')(infn_i),name='infn')
o=L.Concatenate()([g,inner(hh),inner(cc),infn(hh)])
o=L.BatchNormalization()(o)
m=K.Model([a,h,c],[L.Dense(1,name='score')(o),L.ReLU(6.)(cc)])
m.compile(K.optimizers.legacy.RMSprop(0.01,decay=0.1),loss=[K.losses.MeanSquaredError(),K.losses.MeanAbsoluteError()],loss_weights=[1.,.5],metrics=[[K.metrics.MeanAbsoluteError()],['mse']])
save('graph',m,[x,rng.normal(size=(3,3)).astype('float32'),rng.normal(size=(3,3)).astype('float32')],[np.array([[1.],[2.],[0.]]),np.ones((3,3))])
m=K.Sequential([L.Conv1D(4,3,padding='causal',activation='relu',input_shape=(5,4)),L.LayerNormalization(),L.LeakyReLU(.1),L.ThresholdedReLU(.2),L.MaxPooling1D(2),L.RNN([L.GRUCell(3),L.LSTMCell(2)],return_sequences=True),L.Bidirectional(L.SimpleRNN(2,return_sequences=True),merge_mode='sum'),L.Flatten(),L.PReLU(),L.Dense(2)])
m.compile('sgd','mse')
save('stack',m,[x],np.ones((3,2)))
q=K.Input((5,4)); v=K.Input((5,4))
y=L.MultiHeadAttention(2,3)(q,v)
y=L.Attention()([y,v]); y=L.SpatialDropout1D(.1)(y); y=L.GlobalAveragePooling1D()(y)
m=K.Model([q,v],y); save('attention',m,[x,x[::-1].copy()])
# A branch for each layer.
kinds=[L.Activation('gelu'),L.ActivityRegularization(.1,.2),L.AlphaDropout(.1),L.AveragePooling1D(2,padding='same'),L.Conv1DTranspose(3,2,strides=2),
 L.Cropping1D((1,1)),L.DepthwiseConv1D(2,depth_multiplier=2),L.SeparableConv1D(3,2),L.ELU(.5),L.EinsumDense('abc,cd->abd',output_shape=(None,3),bias_axes='d'),
 L.GaussianDropout(.1),L.GaussianNoise(.1),L.GlobalAveragePooling1D(keepdims=True),L.GlobalMaxPooling1D(),L.GroupNormalization(2),L.LayerNormalization(axis=[1,2]),
 L.Masking(0.),L.PReLU(shared_axes=[1]),L.Permute((2,1)),L.ReLU(max_value=1.,negative_slope=.1,threshold=.2),L.Reshape((-1,2)),L.Softmax(axis=[1,2]),
 L.UnitNormalization(),L.UpSampling1D(2),L.ZeroPadding1D((1,2)),L.BatchNormalization(axis=1),L.Rescaling(2.,1.),
 L.Bidirectional(L.LSTM(2),backward_layer=L.GRU(2,go_backwards=True)),L.TimeDistributed(K.Sequential([L.Dense(3,input_shape=(4,)),L.ReLU()])),L.RNN(L.LSTMCell(3)),
 L.SimpleRNN(3,activation=None),L.Dense(3,kernel_initializer=K.initializers.VarianceScaling(2.,'fan_out','untruncated_normal'),bias_initializer=K.initializers.Constant(2.),bias_constraint='unit_norm'),
 L.Dense(4,kernel_initializer=K.initializers.LecunNormal(),bias_initializer='he_normal',kernel_regularizer='l1_l2',activity_regularizer='l2',kernel_constraint=K.constraints.MinMaxNorm()),
 L.Dense(4,kernel_initializer='identity',use_bias=False,activation='exponential')]
a=K.Input((5,4)); b=K.Input((5,4))
o=[k(a) for k in kinds]+[L.AdditiveAttention()([a,b]),L.Subtract()([a,b]),L.Dot((2,2))([a,b]),L.MultiHeadAttention(2,3)(a,b,use_causal_mask=True)]
e=L.Bidirectional(L.GRU(3,return_state=True))(a)
o.append(L.Bidirectional(L.GRU(3),merge_mode='mul')(b,initial_state=e[1:]))
o+=L.Bidirectional(L.LSTM(2),merge_mode=None)(b)
m=K.Model([a,b],o); save('layers',m,[x,x[::-1].copy()])
